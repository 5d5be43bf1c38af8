using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace FunctionsPipeline.SampleData;

/// <summary>The Hub's <c>/api</c>: metadata and file listings of repositories.</summary>
internal sealed class HubApi(Lazy<RepositoryLookup> repositories)
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
            await ErrorResponse.EntryNotFoundAsync(context);
            return;
        }
        var folders = below.Select(f => f.Path[folder.Length..]).Where(rest => rest.Contains('/'))
            .Select(rest => folder + rest[..rest.IndexOf('/')]);
        var files = below.Where(f => recursive || !f.Path[folder.Length..].Contains('/'));
        var entries = folders.Distinct().Select(f => (Path: f, File: (RepositoryFile?)null))
            .Concat(files.Select(f => (f.Path, (RepositoryFile?)f)))
            .OrderBy(e => e.Path, StringComparer.Ordinal).ToList();
        var start = int.TryParse(context.Request.Query["cursor"], CultureInfo.InvariantCulture, out var cursor) ? cursor : 0;
        var limit = int.TryParse(context.Request.Query["limit"], CultureInfo.InvariantCulture, out var asked) && asked > 0
            ? Math.Min(asked, FilesPerPage)
            : FilesPerPage;
        if (start + limit < entries.Count)
        {
            var page = $"{repositories.Value.Url(context)}{context.Request.Path}";
            var query = $"recursive={(recursive ? "true" : "false")}&limit={limit}&cursor={start + limit}";
            context.Response.Headers.Link = $"<{page}?{query}>; rel=\"next\"";
        }
        await context.Response.WriteAsJsonAsync(await Task.WhenAll(entries.Skip(start).Take(limit).Select(EntryAsync)));
    });

    private static async Task<object> EntryAsync((string Path, RepositoryFile? File) entry)
    {
        if (entry.File is not { } file)
            return new { type = "directory", path = entry.Path, size = 0, oid = SampleRepository.CommitOf(entry.Path) };
        var local = await file.Local;
        return file.IsLarge
            // Git's tree holds the pointer of a large file, so that oid is the pointer's and lfs has the content's.
            ? new { type = "file", path = file.Path, size = local.Size, oid = LocalFile.GitOidOf(local.Pointer),
                lfs = new { oid = local.Sha256, size = local.Size, pointerSize = local.Pointer.Length } }
            : new { type = "file", path = file.Path, size = local.Size, oid = local.GitOid };
    }

    private Task ParquetAsync(HttpContext context) => repositories.Value.WithRepositoryAsync(context, "datasets", repository =>
    {
        var revision = Uri.EscapeDataString(SampleRepository.ConvertedParquet);
        string Url(string path) => $"{repositories.Value.Url(context)}/datasets/{repository.Id}/resolve/{revision}/{path}";
        var all = repository.Parquet.ToDictionary(c => c.Key, c => c.Value.ToDictionary(s => s.Key, s => s.Value.Select(Url)));
        if (context.Request.RouteValues["config"] is not string config) return context.Response.WriteAsJsonAsync(all);
        if (!all.TryGetValue(config, out var splits)) return ErrorResponse.EntryNotFoundAsync(context);
        if (context.Request.RouteValues["split"] is not string split) return context.Response.WriteAsJsonAsync(splits);
        return splits.TryGetValue(split, out var urls)
            ? context.Response.WriteAsJsonAsync(urls)
            : ErrorResponse.EntryNotFoundAsync(context);
    });
}

/// <summary>
/// The Hub's <c>resolve</c>: sends small files directly and redirects to a CDN URL for large ones. The CDN URL needs no token and, when the
/// CDN has its own host, rejects requests with an Authorization header, as presigned storage URLs do.
/// </summary>
internal sealed class HubDownloads(Lazy<RepositoryLookup> repositories, string? cdnHost)
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/datasets/{owner}/{name}/resolve/{revision}/{**path}", Methods, context => ResolveAsync(context, "datasets"));
        routes.MapMethods("/{owner}/{name}/resolve/{revision}/{**path}", Methods, context => ResolveAsync(context, "models"));
        routes.MapMethods("/cdn/{kind}/{owner}/{name}/{revision}/{**path}", Methods, DownloadAsync);
    }

    private Task ResolveAsync(HttpContext context, string kind) =>
        repositories.Value.WithSnapshotAsync(context, kind, async (repository, snapshot) =>
    {
        var headers = context.Response.Headers;
        headers["X-Repo-Commit"] = snapshot.Commit;
        if (Find(context, snapshot) is not { } file)
        {
            await ErrorResponse.EntryNotFoundAsync(context);
            return;
        }
        var local = await file.Local;
        if (!file.IsLarge)
        {
            // As on the Hub, the ETag of a small file is its id as a git blob.
            await SendAsync(context, local, local.GitOid);
            return;
        }
        // huggingface_hub prefers these headers to ETag and Content-Length, which describe the redirect.
        headers["X-Linked-Size"] = $"{local.Size}";
        headers["X-Linked-Etag"] = $"\"{local.Sha256}\"";
        var host = cdnHost is null ? context.Request.Host : new HostString(cdnHost, context.Request.Host.Port!.Value);
        context.Response.StatusCode = StatusCodes.Status302Found;
        headers.Location = $"{context.Request.Scheme}://{host}/cdn/{kind}/{repository.Id}/{snapshot.Commit}/{file.Path}";
    });

    private Task DownloadAsync(HttpContext context)
    {
        if (cdnHost is not null && context.Request.Headers.Authorization.Count > 0)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return context.Response.WriteAsync("Only one auth mechanism allowed");
        }
        var repository = repositories.Value.Find((string)context.Request.RouteValues["kind"]!, context);
        return repository?.Find((string)context.Request.RouteValues["revision"]!) is { } snapshot && Find(context, snapshot) is { } file
            ? SendFileAsync(file)
            : ErrorResponse.EntryNotFoundAsync(context);

        async Task SendFileAsync(RepositoryFile found)
        {
            var local = await found.Local;
            await SendAsync(context, local, local.Sha256);
        }
    }

    private static RepositoryFile? Find(HttpContext context, RepositorySnapshot snapshot) =>
        snapshot.Files.FirstOrDefault(f => f.Path == (string)context.Request.RouteValues["path"]!);

    private static Task SendAsync(HttpContext context, LocalFile file, string etag) =>
        Results.File(file.FullPath, "application/octet-stream", entityTag: new EntityTagHeaderValue($"\"{etag}\""),
            enableRangeProcessing: true)
            .ExecuteAsync(context);
}

/// <summary>The repositories that a hub serves, with access control by token.</summary>
internal sealed class RepositoryLookup(IEnumerable<SampleRepository> repositories, string? token)
{
    private readonly Dictionary<(string Kind, string Id), SampleRepository> _repositories = repositories.ToDictionary(r => (r.Kind, r.Id));

    /// <summary>Base URL of the request, without a trailing slash.</summary>
    public string Url(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host}";

    /// <summary>Finds the repository named by the route, without checking the token.</summary>
    public SampleRepository? Find(string kind, HttpContext context) =>
        _repositories.GetValueOrDefault((kind, $"{context.Request.RouteValues["owner"]}/{context.Request.RouteValues["name"]}"));

    /// <summary>Calls the handler with the repository named by the route, or refuses the request.</summary>
    public Task WithRepositoryAsync(HttpContext context, string kind, Func<SampleRepository, Task> handle)
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (token is not null && authorization.Length > 0 && authorization != $"Bearer {token}")
            return ErrorResponse.BadTokenAsync(context);
        return Find(kind, context) is { } repository && (token is null || authorization.Length > 0)
            ? handle(repository)
            : ErrorResponse.RepositoryNotFoundAsync(context);
    }

    /// <summary>
    /// Calls the handler with the repository and the revision named by the route (<c>main</c> by default), or refuses the request.
    /// </summary>
    public Task WithSnapshotAsync(HttpContext context, string kind, Func<SampleRepository, RepositorySnapshot, Task> handle) =>
        WithRepositoryAsync(context, kind, repository =>
        {
            // A branch such as refs/convert/parquet is one route segment with escaped slashes: Kestrel leaves %2F as it is.
            var revision = Uri.UnescapeDataString(context.Request.RouteValues["revision"] as string ?? SampleRepository.Main);
            return repository.Find(revision) is { } snapshot
                ? handle(repository, snapshot)
                : ErrorResponse.RevisionNotFoundAsync(context, revision);
        });
}

/// <summary>Error responses with the Hub's own messages and headers.</summary>
internal static class ErrorResponse
{
    /// <summary>
    /// Refuses a missing repository. The Hub answers 401 to anonymous requests, so as not to reveal private repositories.
    /// </summary>
    public static Task RepositoryNotFoundAsync(HttpContext context) => context.Request.Headers.Authorization.Count == 0
        ? RefuseAsync(context, StatusCodes.Status401Unauthorized, null, "Invalid username or password.")
        : RefuseAsync(context, StatusCodes.Status404NotFound, "RepoNotFound", "Repository not found");

    public static Task RevisionNotFoundAsync(HttpContext context, string revision) =>
        RefuseAsync(context, StatusCodes.Status404NotFound, "RevisionNotFound", $"Invalid rev id: {revision}");

    public static Task EntryNotFoundAsync(HttpContext context) =>
        RefuseAsync(context, StatusCodes.Status404NotFound, "EntryNotFound", "Entry not found");

    public static Task BadTokenAsync(HttpContext context) =>
        RefuseAsync(context, StatusCodes.Status401Unauthorized, null, "Invalid credentials in Authorization header");

    private static Task RefuseAsync(HttpContext context, int status, string? code, string message)
    {
        context.Response.StatusCode = status;
        if (code is not null) context.Response.Headers["X-Error-Code"] = code;
        context.Response.Headers["X-Error-Message"] = message;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsJsonAsync(new { error = message });
    }
}
