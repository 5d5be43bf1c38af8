using System.Net;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>Forwards requests to the HTTP server in the worker process.</summary>
internal sealed class HttpForwarding(IHttpForwarder forwarder) : IDisposable
{
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromMinutes(4) };

    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        ActivityHeadersPropagator = null,
    });

    /// <summary>Forwards a request and copies back the response.</summary>
    /// <param name="invocationId">Id of the invocation that the request belongs to.</param>
    public async Task ForwardAsync(HttpContext http, Uri worker, string invocationId) =>
        await forwarder.SendAsync(http, worker.ToString(), _invoker, Config, new Headers(invocationId));

    public void Dispose() => _invoker.Dispose();

    private sealed class Headers(string invocationId) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var request = httpContext.Request;
            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.Remove("x-ms-invocation-id");
            proxyRequest.Headers.Add("x-ms-invocation-id", invocationId);
            // The worker builds the management API's URLs from these headers.
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Proto", request.Scheme);
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Host", request.Host.Value);
        }
    }
}
