using System.Net;
using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>An answer of the Hub, or of the host that it redirects downloads to.</summary>
/// <param name="response">The last answer.</param>
/// <param name="linkedETag"><c>X-Linked-Etag</c> of the redirect: what the Hub says the file is, however its other host counts.</param>
/// <param name="giveMoreTime">Starts the time for this try anew.</param>
internal sealed class HubAnswer(HttpResponseMessage response, string? linkedETag, Action giveMoreTime)
{
    public HttpResponseMessage Response => response;

    /// <summary>Names the version of the file, without quotes; null when the server does not tell.</summary>
    public string? ETag { get; } = (linkedETag ?? response.First("X-Linked-Etag") ?? response.First("ETag"))?.Split('"') switch
    {
        // Quoted, and perhaps marked as weak by a W/ before it.
        [_, var quoted, ..] => quoted,
        [var bare] => bare,
        _ => null,
    };

    /// <summary>Whether the file ends before the part that was asked for; of an empty file every part is so.</summary>
    public bool IsBeyondEnd => response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable;

    /// <summary>Whether the body is the part that was asked for; otherwise it is the whole file.</summary>
    /// <exception cref="IOException">It is a part, but another one.</exception>
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

    /// <summary>For a body that is read in steps: the step that begins now has as much time as a whole try.</summary>
    public void GiveMoreTime() => giveMoreTime();
}
