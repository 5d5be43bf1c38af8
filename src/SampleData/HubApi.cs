using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace FunctionsPipeline.SampleData;

/// <summary>The Hub's <c>/api</c>: metadata and file listings of repositories.</summary>
internal sealed class HubApi(Lazy<HubRepositories> repositories)
{
    private const int FilesPerPage = 1000;

    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var kind in new[] { "datasets", "models" })
        {
            var api = $"/api/{kind}/{{owner}}/{{name}}";
            routes.MapGet(api, context => InfoAsync(context, kind));
            routes.MapGet($"{api}/revision/{{revision}}", context => InfoAsync(context, kind));
            routes.MapGet($"{api}/tree/{{revision}}/{{**path}}", context => TreeAsync(context, kind));
        }
        routes.MapGet("/api/datasets/{owner}/{name}/parquet/{config?}/{split?}", ParquetAsync);
    }

    private Task InfoAsync(HttpContext context, string kind) =>
        repositories.Value.WithSnapshotAsync(context, kind, (repository, snapshot) =>
        context.Response.WriteAsJsonAsync(new
        {
            id = repository.Id,
            sha = snapshot.Commit,
            @private = false,
            gated = false,
            disabled = false,
            siblings = snapshot.Files.Select(f => new { rfilename = f.Path }),
        }));

    private Task TreeAsync(HttpContext context, string kind) => repositories.Value.WithSnapshotAsync(context, kind, async (_, snapshot) =>
    {
        var folder = context.Request.RouteValues["path"] is string { Length: > 0 } path ? path.TrimEnd('/') + "/" : "";
        var recursive = context.Request.Query["recursive"] == "true";
        var below = snapshot.Files.Where(f => f.Path.StartsWith(folder, StringComparison.Ordinal)).ToList();
        if (below.Count == 0 && folder.Length > 0)
        {
            await HubErrors.EntryNotFoundAsync(context);
            return;
        }
        var folders = below.Select(f => f.Path[folder.Length..]).Where(rest => rest.Contains('/'))
            .Select(rest => folder + rest[..rest.IndexOf('/')]);
        var files = below.Where(f => recursive || !f.Path[folder.Length..].Contains('/'));
        var entries = folders.Distinct().Select(f => (Path: f, File: (HubFile?)null)).Concat(files.Select(f => (f.Path, (HubFile?)f)))
            .OrderBy(e => e.Path, StringComparer.Ordinal).ToList();
        var start = int.TryParse(context.Request.Query["cursor"], CultureInfo.InvariantCulture, out var cursor) ? cursor : 0;
        var limit = int.TryParse(context.Request.Query["limit"], CultureInfo.InvariantCulture, out var asked) && asked > 0
            ? Math.Min(asked, FilesPerPage)
            : FilesPerPage;
        if (start + limit < entries.Count)
        {
            var page = $"{repositories.Value.Address(context)}{context.Request.Path}";
            var query = $"recursive={(recursive ? "true" : "false")}&limit={limit}&cursor={start + limit}";
            context.Response.Headers.Link = $"<{page}?{query}>; rel=\"next\"";
        }
        await context.Response.WriteAsJsonAsync(await Task.WhenAll(entries.Skip(start).Take(limit).Select(EntryAsync)));
    });

    private static async Task<object> EntryAsync((string Path, HubFile? File) entry)
    {
        if (entry.File is not { } file) return new { type = "directory", path = entry.Path, size = 0, oid = HubRepository.CommitOf(entry.Path) };
        var local = await file.Local;
        return file.IsLarge
            ? new { type = "file", path = file.Path, size = local.Size, oid = LocalFile.GitOidOf(local.Pointer),
                lfs = new { oid = local.Sha256, size = local.Size, pointerSize = local.Pointer.Length } }
            : new { type = "file", path = file.Path, size = local.Size, oid = local.GitOid };
    }

    private Task ParquetAsync(HttpContext context) => repositories.Value.WithRepositoryAsync(context, "datasets", repository =>
    {
        var revision = Uri.EscapeDataString(HubRepository.ConvertedParquet);
        string Url(string path) => $"{repositories.Value.Address(context)}/datasets/{repository.Id}/resolve/{revision}/{path}";
        var all = repository.Parquet.ToDictionary(c => c.Key, c => c.Value.ToDictionary(s => s.Key, s => s.Value.Select(Url)));
        if (context.Request.RouteValues["config"] is not string config) return context.Response.WriteAsJsonAsync(all);
        if (!all.TryGetValue(config, out var splits)) return HubErrors.EntryNotFoundAsync(context);
        if (context.Request.RouteValues["split"] is not string split) return context.Response.WriteAsJsonAsync(splits);
        return splits.TryGetValue(split, out var urls) ? context.Response.WriteAsJsonAsync(urls) : HubErrors.EntryNotFoundAsync(context);
    });
}
