using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Maps a refusal of the Hub to an error in a field of the user's request.</summary>
internal static class HubRefusal
{
    /// <param name="part">Part of the request: <c>dataset</c> or <c>baseModel</c>.</param>
    public static RequestException For(string part, string repo, string revision, HubException refusal) => refusal.Error switch
    {
        HubError.RevisionNotFound => new RequestException($"{part}.revision", 404, $"{repo} has no revision '{revision}'"),
        HubError.NotFound or HubError.EntryNotFound =>
            new RequestException($"{part}.repo", 404, $"the Hub has no repository '{repo}' that can be seen: {refusal.Message}"),
        _ => new RequestException($"{part}.repo", 400, refusal.Message),
    };
}
