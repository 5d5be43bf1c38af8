using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Net.Http.Headers;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Serves the dashboard, a page that asks the API for everything that it shows.</summary>
public sealed class DashboardEndpoint
{
    private const string Index = "index.html";

    // Names below hold a hash of their content.
    private const string HashedFolder = "assets/";

    private static readonly (string Name, string Value)[] SecurityHeaders =
    [
        (HeaderNames.ContentSecurityPolicy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
            + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        (HeaderNames.XContentTypeOptions, "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ];

    /// <summary><c>GET /api/dashboard/{*path}</c>: a file of the page, compressed as the client takes it.</summary>
    [Function(nameof(GetDashboard))]
    public IActionResult GetDashboard(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = "dashboard/{*path}")] HttpRequest request,
        string? path)
    {
        var headers = request.HttpContext.Response.Headers;
        foreach (var (name, value) in SecurityHeaders) headers[name] = value;
        if (string.IsNullOrEmpty(path))
        {
            // The page's own URLs are relative, so that it works under any prefix: they need the slash. The redirect names the file, as a
            // front end that drops the slash would redirect without end.
            if (!request.Path.Value!.EndsWith('/')) return new RedirectResult($"{request.Path.Value.Split('/')[^1]}/{Index}");
            path = Index;
        }
        if (DashboardFiles.Find(path, request.GetTypedHeaders().AcceptEncoding) is not { } file)
            return Responses.Problem(StatusCodes.Status404NotFound, $"The dashboard has no file '{path}'.");
        headers.Vary = HeaderNames.AcceptEncoding;
        if (file.Encoding is { } encoding) headers.ContentEncoding = encoding;
        headers.CacheControl = path.StartsWith(HashedFolder, StringComparison.Ordinal) ? "public, max-age=31536000, immutable" : "no-cache";
        // Answers conditional requests and HEAD as well.
        return new FileContentResult(file.Content, file.ContentType) { EntityTag = file.ETag };
    }
}
