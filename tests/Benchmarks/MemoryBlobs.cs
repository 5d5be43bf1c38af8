using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// As much of the blob service's REST API as ingestion uses, over a dictionary: Azurite takes longer for each blob the more there are, so
/// that 100,000 images would take it hours.
/// </summary>
internal sealed class MemoryBlobs
{
    private const string Account = "devstoreaccount1";
    private const string Metadata = "x-ms-meta-";

    private readonly ConcurrentDictionary<string, Blob> _blobs = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Path, string Block), byte[]> _blocks = new();

    /// <summary>Connection string for a <c>BlobServiceClient</c>, with the routes below a URL; any key will do.</summary>
    public static string ConnectionString(Uri url) =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Convert.ToBase64String(new byte[64])};"
        + $"BlobEndpoint={new Uri(url, Account)};";

    /// <summary>Adds the routes.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPut($"/{Account}/{{container}}", () => Results.StatusCode(StatusCodes.Status201Created));
        routes.MapGet($"/{Account}/{{container}}", ListAsync);
        routes.MapPut($"/{Account}/{{container}}/{{**name}}", PutAsync);
        routes.MapDelete($"/{Account}/{{container}}/{{**name}}", Delete);
        routes.MapMethods($"/{Account}/{{container}}/{{**name}}", [HttpMethods.Get, HttpMethods.Head], GetAsync);
    }

    private async Task PutAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        using var body = new MemoryStream((int)(context.Request.ContentLength ?? 0));
        await context.Request.Body.CopyToAsync(body);
        var content = body.ToArray();
        switch (context.Request.Query["comp"].ToString())
        {
            case "block":
                _blocks[(path, context.Request.Query["blockid"].ToString())] = content;
                break;
            case "blocklist":
                var ids = XDocument.Parse(Encoding.UTF8.GetString(content).TrimStart('\uFEFF')).Root!.Elements()
                    .Select(element => element.Value);
                Store(context, path, [.. ids.SelectMany(id => _blocks[(path, id)])]);
                return;
            default:
                Store(context, path, content);
                return;
        }
        context.Response.StatusCode = StatusCodes.Status201Created;
    }

    private void Store(HttpContext context, string path, byte[] content)
    {
        var blob = new Blob(content, $"\"{Guid.NewGuid():N}\"", DateTimeOffset.UtcNow, context.Request.Headers
            .Where(header => header.Key.StartsWith(Metadata, StringComparison.OrdinalIgnoreCase)).ToDictionary());
        if (context.Request.Headers.IfNoneMatch == "*")
        {
            if (!_blobs.TryAdd(path, blob))
            {
                Refuse(context, HttpStatusCode.Conflict, "BlobAlreadyExists");
                return;
            }
        }
        else
        {
            _blobs[path] = blob;
        }
        blob.Describe(context.Response);
        context.Response.StatusCode = StatusCodes.Status201Created;
    }

    private async Task GetAsync(HttpContext context)
    {
        if (!_blobs.TryGetValue(context.Request.Path.Value!, out var blob))
        {
            Refuse(context, HttpStatusCode.NotFound, "BlobNotFound");
            return;
        }
        var content = blob.Content.AsMemory();
        blob.Describe(context.Response);
        context.Response.Headers["x-ms-blob-type"] = "BlockBlob";
        var range = context.Request.Headers["x-ms-range"].ToString();
        if (range.Length > 0 && content.Length > 0)
        {
            var bounds = range["bytes=".Length..].Split('-');
            var from = int.Parse(bounds[0], CultureInfo.InvariantCulture);
            var to = bounds[1].Length == 0
                ? content.Length - 1
                : (int)Math.Min(content.Length - 1, long.Parse(bounds[1], CultureInfo.InvariantCulture));
            context.Response.StatusCode = StatusCodes.Status206PartialContent;
            context.Response.Headers.ContentRange = $"bytes {from}-{to}/{content.Length}";
            content = content[from..(to + 1)];
        }
        context.Response.ContentLength = content.Length;
        if (HttpMethods.IsGet(context.Request.Method)) await context.Response.Body.WriteAsync(content);
    }

    private void Delete(HttpContext context)
    {
        if (_blobs.TryRemove(context.Request.Path.Value!, out _)) context.Response.StatusCode = StatusCodes.Status202Accepted;
        else Refuse(context, HttpStatusCode.NotFound, "BlobNotFound");
    }

    private Task ListAsync(HttpContext context)
    {
        var folder = context.Request.Path.Value! + "/";
        var prefix = folder + context.Request.Query["prefix"];
        var found = _blobs.Where(blob => blob.Key.StartsWith(prefix, StringComparison.Ordinal))
            .OrderBy(blob => blob.Key, StringComparer.Ordinal);
        context.Response.ContentType = "application/xml";
        var blobs = found.Select(blob => new XElement("Blob",
            new XElement("Name", blob.Key[folder.Length..]),
            new XElement("Properties", new XElement("Content-Length", blob.Value.Content.Length), new XElement("Etag", blob.Value.ETag),
                new XElement("Last-Modified", $"{blob.Value.Modified:R}")),
            new XElement("Metadata",
                blob.Value.Metadata.Select(entry => new XElement(entry.Key[Metadata.Length..], entry.Value.ToString())))));
        return context.Response.WriteAsync(
            new XElement("EnumerationResults", new XElement("Blobs", blobs), new XElement("NextMarker"))
                .ToString(SaveOptions.DisableFormatting));
    }

    private static void Refuse(HttpContext context, HttpStatusCode status, string code)
    {
        context.Response.StatusCode = (int)status;
        context.Response.Headers["x-ms-error-code"] = code;
    }

    private sealed record Blob(byte[] Content, string ETag, DateTimeOffset Modified, IReadOnlyDictionary<string, StringValues> Metadata)
    {
        public void Describe(HttpResponse response)
        {
            response.Headers.ETag = ETag;
            response.Headers.LastModified = $"{Modified:R}";
            foreach (var (key, value) in Metadata) response.Headers[key] = value;
        }
    }
}
