using System.Globalization;
using System.Xml.Linq;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Returns queue messages that a killed host had taken, when the next one on its port first reads their queue. The SDK hides a message for
/// ten minutes from when it takes it, and an upload that was in the hands of a killed host would wait as long.
/// </summary>
/// <remarks>
/// Source: <c>QueueListener</c> of Microsoft.Azure.WebJobs.Extensions.Storage.Queues 5.3.10. A message that was deleted or taken again
/// meanwhile has another pop receipt, so that the service refuses its return. A message that was still on its way to the killed host is in
/// no file, and stays hidden.
/// </remarks>
internal sealed class TakenMessages : HttpPipelinePolicy
{
    private const int MostLines = 5000;

    private readonly string _file;
    private readonly Lock _lock = new();
    // Pop receipts by the message's URL: of this host, and of the one before.
    private readonly Dictionary<string, string> _taken = [];
    private readonly Dictionary<string, string> _left = [];
    private int _lines;

    /// <param name="port">Port of the host, which tells hosts on one machine apart.</param>
    public TakenMessages(int port)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "functions-pipeline", "taken-messages"));
        _file = Path.Combine(folder.FullName, port.ToString(CultureInfo.InvariantCulture));
        if (!File.Exists(_file)) return;
        foreach (var line in File.ReadLines(_file))
        {
            if (line.Split(' ') is [var url, var receipt]) _left[url] = receipt;
            else _left.Remove(line);
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => ProcessNext(message, pipeline);

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var (method, url) = (message.Request.Method, message.Request.Uri.ToUri().GetLeftPart(UriPartial.Path));
        var takes = method == RequestMethod.Get && url.EndsWith("/messages", StringComparison.Ordinal);
        if (takes) await ReturnAsync(message, url, pipeline);
        await ProcessNextAsync(message, pipeline);
        if (message.Response.IsError) return;
        if (takes)
        {
            foreach (var (id, receipt) in Taken(message.Response)) Note($"{url}/{id}", receipt);
        }
        else if (method == RequestMethod.Delete)
        {
            Note(url, null);
        }
        else if (method == RequestMethod.Put && message.Response.Headers.TryGetValue("x-ms-popreceipt", out var renewed))
        {
            Note(url, renewed);
        }
    }

    private async Task ReturnAsync(HttpMessage message, string queue, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        List<KeyValuePair<string, string>> left;
        lock (_lock)
        {
            left = [.. _left.Where(taken => taken.Key.StartsWith($"{queue}/", StringComparison.Ordinal))];
            foreach (var (url, _) in left) _left.Remove(url);
        }
        foreach (var (url, receipt) in left)
        {
            var request = HttpClientTransport.Shared.CreateRequest();
            request.Method = RequestMethod.Put;
            request.Uri.Reset(new Uri($"{url}?popreceipt={Uri.EscapeDataString(receipt)}&visibilitytimeout=0"));
            if (message.Request.Headers.TryGetValue("x-ms-version", out var version)) request.Headers.Add("x-ms-version", version);
            using var update = new HttpMessage(request, message.ResponseClassifier);
            await ProcessNextAsync(update, pipeline);
        }
    }

    // Messages that are only peeked at have no pop receipt.
    private static IEnumerable<(string Id, string Receipt)> Taken(Response response)
    {
        var content = response.ContentStream!;
        var messages = XDocument.Load(content).Descendants("QueueMessage").ToList();
        content.Position = 0;
        return from message in messages
               where message.Element("PopReceipt") is not null
               select (message.Element("MessageId")!.Value, message.Element("PopReceipt")!.Value);
    }

    /// <summary>Adds a line to the file: a message with its pop receipt, or without one when it is done.</summary>
    private void Note(string url, string? receipt)
    {
        lock (_lock)
        {
            if (receipt is not null) _taken[url] = receipt;
            else if (!_taken.Remove(url)) return;
            if (_lines++ % MostLines == 0) File.WriteAllLines(_file, _taken.Concat(_left).Select(taken => $"{taken.Key} {taken.Value}"));
            else File.AppendAllText(_file, receipt is null ? $"{url}\n" : $"{url} {receipt}\n");
        }
    }
}
