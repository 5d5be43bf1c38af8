using System.Net;
using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>A response of the Hub, or of the CDN host that the Hub redirects downloads to.</summary>
/// <param name="response">The response after all redirects.</param>
/// <param name="linkedETag"><c>X-Linked-Etag</c> of the redirect: the Hub's ETag of the file, preferred to the CDN's own.</param>
/// <param name="giveMoreTime">Restarts the timeout of the current attempt.</param>
internal sealed class HubAnswer(HttpResponseMessage response, string? linkedETag, Action giveMoreTime)
{
    public HttpResponseMessage Response => response;

    /// <summary>ETag of the file, without quotes; null when the server sends none.</summary>
    public string? ETag { get; } = (linkedETag ?? response.First("X-Linked-Etag") ?? response.First("ETag"))?.Split('"') switch
    {
        // Quoted, possibly with the prefix W/ of a weak ETag.
        [_, var quoted, ..] => quoted,
        [var bare] => bare,
        _ => null,
    };

    /// <summary>True when the requested range starts beyond the end of the file (416); always so for an empty file.</summary>
    public bool IsBeyondEnd => response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;

    /// <summary>True when the body is the requested range; false when it is the complete file.</summary>
    /// <exception cref="IOException">The body is another range than the requested one.</exception>
    public bool IsPart(RangeHeaderValue asked, out long fileLength)
    {
        fileLength = 0;
        if (response.StatusCode != HttpStatusCode.PartialContent) return false;
        var range = asked.Ranges.Single();
        if (response.Content.Headers.ContentRange is not { From: { } from, To: { } to, Length: { } length })
            throw new IOException($"asked for {asked}, and the answer does not say which part it is");
        var first = range.From ?? Math.Max(0, length - range.To!.Value);
        var last = range.From is null ? length - 1 : Math.Min(range.To ?? long.MaxValue, length - 1);
        if (from != first || to != last)
            throw new IOException($"asked for {asked}, and the answer holds the bytes {from} to {to} of {length}");
        fileLength = length;
        return true;
    }

    /// <summary>Restarts the timeout; called between the steps in which a long body is read.</summary>
    public void GiveMoreTime() => giveMoreTime();
}
