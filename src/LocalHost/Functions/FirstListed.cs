using System.Collections.Concurrent;
using System.Globalization;
using System.Xml.Linq;
using Azure.Core;
using Azure.Core.Pipeline;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Replaces <c>Last-Modified</c> in Azurite's blob listings by the time when the blob's version was first listed. On an emulator, the
/// SDK's container scan takes only blobs modified after the latest one of the scan before, which skips uploads: the times are whole
/// seconds, and Azurite's are those of an upload's start, so that a large blob may appear after a small one with a later time.
/// </summary>
/// <remarks>Source: <c>ScanContainersStrategy</c> of Microsoft.Azure.WebJobs.Extensions.Storage.Blobs 5.3.10.</remarks>
internal sealed class FirstListed : HttpPipelineSynchronousPolicy
{
    // By container URL, name and ETag: a failed scan sees its blobs with the same times again.
    private readonly ConcurrentDictionary<string, string> _times = new();

    public override void OnReceivedResponse(HttpMessage message)
    {
        var url = message.Request.Uri.ToUri();
        if (!url.IsLoopback || !url.Query.Contains("comp=list", StringComparison.Ordinal) || message.Response.Status != 200) return;

        using var answer = message.Response.ContentStream!;
        var listing = XDocument.Load(answer);
        var now = DateTime.UtcNow.ToString("O", CultureInfo.InvariantCulture);
        foreach (var blob in listing.Descendants("Blob"))
        {
            var properties = blob.Element("Properties")!;
            var version = $"{url.AbsolutePath} {(string?)blob.Element("Name")} {(string?)properties.Element("Etag")}";
            properties.Element("Last-Modified")!.Value = _times.GetOrAdd(version, now);
        }
        var rewritten = new MemoryStream();
        listing.Save(rewritten);
        rewritten.Position = 0;
        message.Response.ContentStream = rewritten;
    }
}
