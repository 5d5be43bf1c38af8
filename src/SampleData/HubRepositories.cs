using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>The repositories that a hub serves, and who may see them.</summary>
internal sealed class HubRepositories(IEnumerable<HubRepository> repositories, string? token)
{
    private readonly Dictionary<(string Kind, string Id), HubRepository> _repositories = repositories.ToDictionary(r => (r.Kind, r.Id));

    /// <summary>The address that the request came to, without a slash at its end.</summary>
    public string Address(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host}";

    /// <summary>The repository that the route names, whoever asks.</summary>
    public HubRepository? Find(string kind, HttpContext context) =>
        _repositories.GetValueOrDefault((kind, $"{context.Request.RouteValues["owner"]}/{context.Request.RouteValues["name"]}"));

    /// <summary>Hands on the repository that the route names, or refuses.</summary>
    public Task WithRepositoryAsync(HttpContext context, string kind, Func<HubRepository, Task> handle)
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (token is not null && authorization.Length > 0 && authorization != $"Bearer {token}") return HubErrors.BadTokenAsync(context);
        return Find(kind, context) is { } repository && (token is null || authorization.Length > 0)
            ? handle(repository)
            : HubErrors.RepositoryNotFoundAsync(context);
    }

    /// <summary>Hands on the repository and the revision that the route names (<c>main</c> when it names none), or refuses.</summary>
    public Task WithSnapshotAsync(HttpContext context, string kind, Func<HubRepository, HubSnapshot, Task> handle) =>
        WithRepositoryAsync(context, kind, repository =>
        {
            // A branch such as refs/convert/parquet arrives as one segment with its slashes escaped.
            var revision = Uri.UnescapeDataString(context.Request.RouteValues["revision"] as string ?? HubRepository.Main);
            return repository.Find(revision) is { } snapshot
                ? handle(repository, snapshot)
                : HubErrors.RevisionNotFoundAsync(context, revision);
        });
}
