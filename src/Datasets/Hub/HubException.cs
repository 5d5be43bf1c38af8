using System.Net;

namespace FunctionsPipeline.Datasets;

/// <summary>Why the Hub did not answer a request.</summary>
public enum HubError
{
    /// <summary>There is no such repository, or it is private and there is no token.</summary>
    NotFound,

    /// <summary>The repository has no such branch, tag or commit.</summary>
    RevisionNotFound,

    /// <summary>The repository has no such file.</summary>
    EntryNotFound,

    /// <summary>The repository's terms must be accepted first.</summary>
    Gated,

    /// <summary>The token does not give access.</summary>
    Private,

    /// <summary>The token itself is not valid.</summary>
    BadToken,

    /// <summary>Too many requests, also after waiting.</summary>
    RateLimited,

    /// <summary>No usable answer, also after several tries.</summary>
    Unavailable,
}

/// <summary>The Hub refused a request or did not answer it.</summary>
public sealed class HubException(HubError error, string message, Exception? cause = null) : Exception(message, cause)
{
    public HubError Error { get; } = error;

    /// <summary>Whether the same request may succeed later.</summary>
    public bool IsTransient => Error is HubError.RateLimited or HubError.Unavailable;

    /// <summary>Reads a refusal; the Hub tells its kinds apart in headers rather than by status.</summary>
    internal static HubException From(HttpResponseMessage response, Uri request, bool withToken)
    {
        var code = Header(response, "X-Error-Code");
        var said = Header(response, "X-Error-Message");
        var what = $"{request.AbsolutePath} answered {(int)response.StatusCode}{(said is null ? "" : $" ({said})")}";
        return code switch
        {
            "RepoNotFound" => new(HubError.NotFound, what),
            "RevisionNotFound" => new(HubError.RevisionNotFound, what),
            "EntryNotFound" => new(HubError.EntryNotFound, what),
            "GatedRepo" => new(HubError.Gated,
                $"{what}: its terms must be accepted on the Hub, and HF_TOKEN set to a token of that account"),
            _ => response.StatusCode switch
            {
                HttpStatusCode.Unauthorized when said?.Contains("Invalid credentials", StringComparison.OrdinalIgnoreCase) == true =>
                    new(HubError.BadToken, $"{what}: HF_TOKEN is not a valid token"),
                // To the anonymous the Hub answers 401 for a repository that does not exist.
                HttpStatusCode.Unauthorized when !withToken =>
                    new(HubError.NotFound, $"{what}: it does not exist, or is private and HF_TOKEN is not set"),
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                    new(HubError.Private, $"{what}: HF_TOKEN does not give access to it"),
                HttpStatusCode.NotFound => new(HubError.NotFound, what),
                HttpStatusCode.TooManyRequests => new(HubError.RateLimited, what),
                _ => new(HubError.Unavailable, what),
            },
        };
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
}
