using System.Collections.Concurrent;

namespace FunctionsPipeline.Tests.Datasets;

/// <summary>Passes requests on to the network and remembers which ranges of files they asked for.</summary>
internal sealed class CountedRequests() : DelegatingHandler(new SocketsHttpHandler { AllowAutoRedirect = false })
{
    private readonly ConcurrentQueue<(string Path, long? From, long? To)> _requests = new();


    /// <summary>The ranges that the Hub was asked for, in the order of their beginnings; redirects are not counted again.</summary>
    public IReadOnlyList<(long? From, long? To)> Ranges =>
        [.. _requests.Where(r => r.Path.Contains("/resolve/", StringComparison.Ordinal)).Select(r => (r.From, r.To)).OrderBy(r => r.From)];

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var range = request.Headers.Range?.Ranges.Single();
        _requests.Enqueue((request.RequestUri!.AbsolutePath, range?.From, range?.To));
        return base.SendAsync(request, cancellationToken);
    }
}
