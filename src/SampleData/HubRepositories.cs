using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>The repositories that a hub serves, with access control by token.</summary>
internal sealed class HubRepositories(IEnumerable<HubRepository> repositories, string? token)
{
    private readonly Dictionary<(string Kind, string Id), HubRepository> _repositories = repositories.ToDictionary(r => (r.Kind, r.Id));

    /// <summary>Base URL of the request, without a trailing slash.</summary>
    public string Address(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host}";

    /// <summary>Finds the repository named by the route, without checking the token.</summary>
    public HubRepository? Find(string kind, HttpContext context) =>
        _repositories.GetValueOrDefault((kind, $"{context.Request.RouteValues["owner"]}/{context.Request.RouteValues["name"]}"));

    /// <summary>Calls the handler with the repository named by the route, or refuses the request.</summary>
    public Task WithRepositoryAsync(HttpContext context, string kind, Func<HubRepository, Task> handle)
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (token is not null && authorization.Length > 0 && authorization != $"Bearer {token}") return HubErrors.BadTokenAsync(context);
        return Find(kind, context) is { } repository && (token is null || authorization.Length > 0)
            ? handle(repository)
            : HubErrors.RepositoryNotFoundAsync(context);
    }

    /// <summary>
    /// Calls the handler with the repository and the revision named by the route (<c>main</c> by default), or refuses the request.
    /// </summary>
    public Task WithSnapshotAsync(HttpContext context, string kind, Func<HubRepository, HubSnapshot, Task> handle) =>
        WithRepositoryAsync(context, kind, repository =>
        {
            // A branch such as refs/convert/parquet is one route segment with escaped slashes: Kestrel leaves %2F as it is.
            var revision = Uri.UnescapeDataString(context.Request.RouteValues["revision"] as string ?? HubRepository.Main);
            return repository.Find(revision) is { } snapshot
                ? handle(repository, snapshot)
                : HubErrors.RevisionNotFoundAsync(context, revision);
        });
}
