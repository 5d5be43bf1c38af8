using System.Net;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Hub;

/// <summary>Thrown when the Hub refuses a request or does not answer it.</summary>
public sealed class HubException(HubErrorKind error, string message, Exception? cause = null) : Exception(message, cause)
{
    private const string DisabledWords = "Access to this resource is disabled";

    public HubErrorKind Error { get; } = error;

    /// <summary>True when the same request may succeed later.</summary>
    public bool IsTransient => Error is HubErrorKind.RateLimited or HubErrorKind.Unavailable;

    /// <summary>
    /// Maps an error response to an exception; the Hub distinguishes errors by the header X-Error-Code rather than by status.
    /// </summary>
    internal static HubException From(HttpResponseMessage response, Uri request, bool withToken)
    {
        var code = response.First("X-Error-Code");
        var said = response.First("X-Error-Message");
        var what = $"{request.AbsolutePath} answered {(int)response.StatusCode}{(said is null ? "" : $" ({said})")}";
        return code switch
        {
            "RepoNotFound" => Missing(what, withToken),
            "RevisionNotFound" => new(HubErrorKind.RevisionNotFound, $"{what}: there is no such branch, tag or commit"),
            "EntryNotFound" => new(HubErrorKind.EntryNotFound, $"{what}: the repository has no such file"),
            "GatedRepo" => new(HubErrorKind.Gated, withToken
                ? $"{what}: accept the repository's terms on the Hub with the account that HF_TOKEN belongs to"
                : $"{what}: accept the repository's terms on the Hub, and set HF_TOKEN to a token of that account"),
            _ => response.StatusCode switch
            {
                // For a disabled repository, the Hub sends a message but no error code.
                _ when said?.Contains(DisabledWords, StringComparison.OrdinalIgnoreCase) == true => Disabled(what),
                HttpStatusCode.Unauthorized when said?.Contains("Invalid credentials", StringComparison.OrdinalIgnoreCase) == true =>
                    new(HubErrorKind.BadToken, $"{what}: HF_TOKEN is not a valid token; make a new one in the Hub's settings, or unset it"),
                // The Hub answers 401 to anonymous requests for a repository that does not exist.
                HttpStatusCode.Unauthorized when !withToken => Missing(what, withToken),
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new(HubErrorKind.Private, withToken
                    ? $"{what}: HF_TOKEN does not give access to it; use a token with read access to this repository"
                    : $"{what}: set HF_TOKEN to a token with read access to this repository"),
                HttpStatusCode.NotFound => Missing(what, withToken),
                HttpStatusCode.TooManyRequests => new(HubErrorKind.RateLimited, $"{what}: the Hub takes no more requests for now"),
                _ => new(HubErrorKind.Unavailable, what),
            },
        };
    }

    /// <summary>Maps a refusal of the Hub to an error in a field of the user's request.</summary>
    /// <param name="field">Field of the request that names the repository: <c>dataset</c> or <c>baseModel</c>.</param>
    internal RequestException ToRequestException(string field, string repo, string revision) => Error switch
    {
        HubErrorKind.RevisionNotFound => new RequestException($"{field}.revision", 404, $"{repo} has no revision '{revision}'"),
        HubErrorKind.NotFound or HubErrorKind.EntryNotFound =>
            new RequestException($"{field}.repo", 404, $"the Hub has no repository '{repo}' that can be seen: {Message}"),
        _ => new RequestException($"{field}.repo", 400, Message),
    };

    internal static HubException Disabled(string what) =>
        new(HubErrorKind.Disabled, $"{what}: the Hub has disabled this repository; choose another one, or ask its owner");

    private static HubException Missing(string what, bool withToken) => new(HubErrorKind.NotFound, withToken
        ? $"{what}: it does not exist, or the account that HF_TOKEN belongs to cannot see it"
        : $"{what}: it does not exist, or is private and HF_TOKEN is not set");
}

/// <summary>Reasons why a request to the Hub failed.</summary>
public enum HubErrorKind
{
    /// <summary>The repository does not exist, or is private and no token is set.</summary>
    NotFound,

    /// <summary>The repository has no such branch, tag or commit.</summary>
    RevisionNotFound,

    /// <summary>The repository has no such file.</summary>
    EntryNotFound,

    /// <summary>The repository's terms must be accepted first.</summary>
    Gated,

    /// <summary>The Hub has disabled the repository for everyone.</summary>
    Disabled,

    /// <summary>The token does not give access.</summary>
    Private,

    /// <summary>The token itself is not valid.</summary>
    BadToken,

    /// <summary>The rate limit is exceeded, even after waiting.</summary>
    RateLimited,

    /// <summary>The Hub gave no usable response, even after retries.</summary>
    Unavailable,
}
