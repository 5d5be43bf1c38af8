using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>Error responses with the Hub's own messages and headers.</summary>
internal static class HubErrors
{
    /// <summary>
    /// Refuses a missing repository. The Hub answers 401 to anonymous requests, so as not to reveal private repositories.
    /// </summary>
    public static Task RepositoryNotFoundAsync(HttpContext context) => context.Request.Headers.Authorization.Count == 0
        ? RefuseAsync(context, StatusCodes.Status401Unauthorized, null, "Invalid username or password.")
        : RefuseAsync(context, StatusCodes.Status404NotFound, "RepoNotFound", "Repository not found");

    public static Task RevisionNotFoundAsync(HttpContext context, string revision) =>
        RefuseAsync(context, StatusCodes.Status404NotFound, "RevisionNotFound", $"Invalid rev id: {revision}");

    public static Task EntryNotFoundAsync(HttpContext context) =>
        RefuseAsync(context, StatusCodes.Status404NotFound, "EntryNotFound", "Entry not found");

    public static Task BadTokenAsync(HttpContext context) =>
        RefuseAsync(context, StatusCodes.Status401Unauthorized, null, "Invalid credentials in Authorization header");

    private static Task RefuseAsync(HttpContext context, int status, string? code, string message)
    {
        context.Response.StatusCode = status;
        if (code is not null) context.Response.Headers["X-Error-Code"] = code;
        context.Response.Headers["X-Error-Message"] = message;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsJsonAsync(new { error = message });
    }
}
