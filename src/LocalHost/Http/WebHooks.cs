using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Description;
using Microsoft.Azure.WebJobs.Host.Config;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>
/// Routes requests below <c>/runtime/webhooks/</c> to the extensions that handle them: the management API of Durable Functions, and Event
/// Grid's blob events.
/// </summary>
#pragma warning disable CS0618 // "Not ready for public consumption", but the only way for an extension to receive HTTP requests.
internal sealed class WebHooks(Uri address, HostKey? key) : IWebHookProvider
{
    private readonly Dictionary<string, IAsyncConverter<HttpRequestMessage, HttpResponseMessage>> _extensions =
        new(StringComparer.OrdinalIgnoreCase);

    public Uri GetUrl(IExtensionConfigProvider extension)
    {
        var type = extension.GetType();
        var name = (type.GetCustomAttribute<ExtensionAttribute>()?.ConfigurationSection ?? type.Name).ToLowerInvariant();
        _extensions[name] = (IAsyncConverter<HttpRequestMessage, HttpResponseMessage>)extension;
        return new Uri(address, $"runtime/webhooks/{name}{(key is null ? "" : $"?code={Uri.EscapeDataString(key.Value)}")}");
    }

    /// <summary>Has the extension handle a request.</summary>
    public async Task AnswerAsync(HttpContext http, string extension)
    {
        if (!_extensions.TryGetValue(extension, out var handler))
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method), http.Request.GetEncodedUrl());
        request.Content = new StreamContent(http.Request.Body);
        foreach (var (name, values) in http.Request.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                request.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }
        using var response = await handler.ConvertAsync(request, http.RequestAborted);
        http.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.Concat(response.Content.Headers)) http.Response.Headers[name] = values.ToArray();
        await response.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}
