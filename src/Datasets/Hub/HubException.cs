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

    /// <summary>The Hub has taken the repository out of service, for everybody.</summary>
    Disabled,

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
    private const string DisabledWords = "Access to this resource is disabled";

    public HubError Error { get; } = error;

    /// <summary>Whether the same request may succeed later.</summary>
    public bool IsTransient => Error is HubError.RateLimited or HubError.Unavailable;

    /// <summary>Reads a refusal; the Hub tells its kinds apart in headers rather than by status.</summary>
    internal static HubException From(HttpResponseMessage response, Uri request, bool withToken)
    {
        var code = response.First("X-Error-Code");
        var said = response.First("X-Error-Message");
        var what = $"{request.AbsolutePath} answered {(int)response.StatusCode}{(said is null ? "" : $" ({said})")}";
        return code switch
        {
            "RepoNotFound" => Missing(what, withToken),
            "RevisionNotFound" => new(HubError.RevisionNotFound, $"{what}: there is no such branch, tag or commit"),
            "EntryNotFound" => new(HubError.EntryNotFound, $"{what}: the repository has no such file"),
            "GatedRepo" => new(HubError.Gated, withToken
                ? $"{what}: accept the repository's terms on the Hub with the account that HF_TOKEN belongs to"
                : $"{what}: accept the repository's terms on the Hub, and set HF_TOKEN to a token of that account"),
            _ => response.StatusCode switch
            {
                // Of a disabled repository the Hub gives no code.
                _ when said?.Contains(DisabledWords, StringComparison.OrdinalIgnoreCase) == true => Disabled(what),
                HttpStatusCode.Unauthorized when said?.Contains("Invalid credentials", StringComparison.OrdinalIgnoreCase) == true =>
                    new(HubError.BadToken, $"{what}: HF_TOKEN is not a valid token; make a new one in the Hub's settings, or unset it"),
                // To the anonymous the Hub answers 401 for a repository that does not exist.
                HttpStatusCode.Unauthorized when !withToken => Missing(what, withToken),
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new(HubError.Private, withToken
                    ? $"{what}: HF_TOKEN does not give access to it; use a token with read access to this repository"
                    : $"{what}: set HF_TOKEN to a token with read access to this repository"),
                HttpStatusCode.NotFound => Missing(what, withToken),
                HttpStatusCode.TooManyRequests => new(HubError.RateLimited, $"{what}: the Hub takes no more requests for now"),
                _ => new(HubError.Unavailable, what),
            },
        };
    }

    internal static HubException Disabled(string what) =>
        new(HubError.Disabled, $"{what}: the Hub has disabled this repository; choose another one, or ask its owner");

    private static HubException Missing(string what, bool withToken) => new(HubError.NotFound, withToken
        ? $"{what}: it does not exist, or the account that HF_TOKEN belongs to cannot see it"
        : $"{what}: it does not exist, or is private and HF_TOKEN is not set");
}
