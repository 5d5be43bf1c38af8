using Azure;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Conditional requests (RFC 9110, 13).</summary>
internal static class Conditions
{
    /// <summary>Reads <c>If-Match</c> and <c>If-None-Match</c> as conditions on a blob.</summary>
    /// <exception cref="RequestException">A header is neither <c>*</c> nor one ETag.</exception>
    public static BlobRequestConditions Read(HttpRequest request) => new()
    {
        IfMatch = Tag(request, HeaderNames.IfMatch),
        IfNoneMatch = Tag(request, HeaderNames.IfNoneMatch),
    };

    /// <summary>Has a response kept by its caller alone, who asks again before it uses the response a second time.</summary>
    public const string AskedAgain = "private, no-cache";

    /// <summary>
    /// Gives the response an ETag, with which the caller can ask whether it has changed.
    /// </summary>
    /// <returns>304 when <c>If-None-Match</c> has the ETag; null when the response is to be sent.</returns>
    public static IActionResult? NotModified(HttpRequest request, string etag, string cacheControl = AskedAgain)
    {
        var headers = request.HttpContext.Response.Headers;
        (headers.ETag, headers.CacheControl) = (etag, cacheControl);
        var tag = new EntityTagHeaderValue(etag);
        return request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false))
            ? new StatusCodeResult(StatusCodes.Status304NotModified)
            : null;
    }

    /// <summary>True for the failure of a condition; a blob that <c>If-None-Match: *</c> finds answers 409.</summary>
    public static bool HasFailed(RequestFailedException e) =>
        e.ErrorCode == BlobErrorCode.ConditionNotMet || e.ErrorCode == BlobErrorCode.BlobAlreadyExists;

    private static ETag? Tag(HttpRequest request, string header)
    {
        if (request.Headers[header].ToString() is not { Length: > 0 } value) return null;
        return EntityTagHeaderValue.TryParse(value, out var tag) && !tag.IsWeak
            ? new ETag(tag.Tag.ToString())
            : throw new RequestException(header, 400, $"{header} is {value}, must be * or one ETag in double quotes.");
    }
}
