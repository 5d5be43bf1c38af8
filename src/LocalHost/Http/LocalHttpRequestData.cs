using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>The worker's own view of a request that came to Kestrel; <c>CreateHttpManagementPayload</c> takes the host from it.</summary>
internal sealed class LocalHttpRequestData(FunctionContext context, HttpRequest request) : HttpRequestData(context)
{
    public override Stream Body => request.Body;

    public override HttpHeadersCollection Headers { get; } =
        new(request.Headers.Select(h => KeyValuePair.Create(h.Key, h.Value.OfType<string>())));

    public override IReadOnlyCollection<IHttpCookie> Cookies { get; } = [.. request.Cookies.Select(c => new Cookie(c.Key, c.Value))];

    public override Uri Url { get; } = new(request.GetEncodedUrl());

    public override IEnumerable<ClaimsIdentity> Identities => request.HttpContext.User.Identities;

    public override string Method => request.Method;

    public override HttpResponseData CreateResponse() => throw new NotSupportedException(
        "The local host runs HTTP functions in the ASP.NET Core style: return an IActionResult or an IResult.");

    /// <summary>Hands the request to <c>FunctionContext.GetHttpRequestDataAsync</c>.</summary>
    public sealed class Feature(HttpRequest request) : IHttpRequestDataFeature
    {
        public ValueTask<HttpRequestData?> GetHttpRequestDataAsync(FunctionContext context) =>
            ValueTask.FromResult<HttpRequestData?>(new LocalHttpRequestData(context, request));
    }

    private sealed record Cookie(string Name, string Value) : IHttpCookie
    {
        public string? Domain => null;

        public DateTimeOffset? Expires => null;

        public bool? HttpOnly => null;

        public double? MaxAge => null;

        public string? Path => null;

        public SameSite SameSite => default;

        public bool? Secure => null;
    }
}
