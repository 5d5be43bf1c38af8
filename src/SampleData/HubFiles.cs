using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace FunctionsPipeline.SampleData;

/// <summary>
/// The Hub's <c>resolve</c>: sends small files directly and redirects to a CDN URL for large ones. The CDN URL needs no token and, when the
/// CDN has its own host, rejects requests with an Authorization header, as presigned storage URLs do.
/// </summary>
internal sealed class HubFiles(Lazy<HubRepositories> repositories, string? cdnHost)
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
            await HubErrors.EntryNotFoundAsync(context);
            return;
        }
        var local = await file.Local;
        if (!file.IsLarge)
        {
            await SendAsync(context, local, local.GitOid);
            return;
        }
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
            : HubErrors.EntryNotFoundAsync(context);

        async Task SendFileAsync(HubFile found)
        {
            var local = await found.Local;
            await SendAsync(context, local, local.Sha256);
        }
    }

    private static HubFile? Find(HttpContext context, HubSnapshot snapshot) =>
        snapshot.Files.FirstOrDefault(f => f.Path == (string)context.Request.RouteValues["path"]!);

    private static Task SendAsync(HttpContext context, LocalFile file, string etag) =>
        Results.File(file.FullPath, "application/octet-stream", entityTag: new EntityTagHeaderValue($"\"{etag}\""),
            enableRangeProcessing: true)
            .ExecuteAsync(context);
}
