using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>
/// HTTP responses, whose documents are serialized with <see cref="PipelineJson"/>, independently of the host's JSON settings.
/// </summary>
internal static class Responses
{
    public static ContentResult Json<T>(T document, int status = StatusCodes.Status200OK) =>
        Content(JsonSerializer.Serialize(document, PipelineJson.Options), MediaTypeNames.Application.Json, status);

    /// <summary>Responds with a document and an ETag made of its content, or with 304 when the caller has it.</summary>
    public static IActionResult Json<T>(HttpRequest request, T document)
    {
        var response = Json(document);
        return Conditions.NotModified(request, ETag([response.Content!])) ?? response;
    }

    /// <summary>Makes an ETag of what determines a response.</summary>
    public static string ETag(IEnumerable<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts) hash.AppendData(Encoding.UTF8.GetBytes($"{part}\n"));
        return $"\"{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}\"";
    }

    /// <summary>Responds, or responds with a problem when the continuation is none of an earlier page.</summary>
    public static async Task<IActionResult> ContinueAsync(string? continuation, Func<Task<IActionResult>> respond)
    {
        try
        {
            return await respond();
        }
        catch (Exception e) when (
            continuation is not null && e is FormatException or RequestFailedException { Status: StatusCodes.Status400BadRequest })
        {
            return Problem(StatusCodes.Status400BadRequest, "continuation must be the one of an earlier answer.", "continuation");
        }
    }

    /// <summary>Responds with a page of a list, or with a problem when the continuation is none of an earlier page.</summary>
    public static Task<IActionResult> PageAsync<T>(string? continuation, Func<Task<T>> read) =>
        ContinueAsync(continuation, async () => Json(await read()));

    /// <summary>Responds with JSON lines.</summary>
    public static ContentResult Lines(string lines) => Content(lines, "application/jsonl", StatusCodes.Status200OK);

    public static ContentResult Problem(int status, string detail, string? field = null) =>
        Problem(ProblemOf(status, detail) with { Field = field });

    public static Problem ProblemOf(int status, string detail) => new(status, ReasonPhrases.GetReasonPhrase(status), detail);

    /// <summary>Responds with a problem that lists one or more invalid members; the first is the problem's own field.</summary>
    public static ContentResult Problem(IReadOnlyList<FieldError> errors) =>
        Problem(
            ProblemOf(StatusCodes.Status400BadRequest, errors[0].Message) with
            {
                Field = errors[0].Field,
                Errors = errors.Count > 1 ? errors : null,
            });

    /// <summary>Responds with a problem for an error of the Hub: 503 for a transient one, 400 for a refusal.</summary>
    public static ContentResult Problem(HubException e) =>
        Problem(e.IsTransient ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status400BadRequest, e.Message);

    public static ContentResult NoRun(string run) => Problem(StatusCodes.Status404NotFound, $"There is no run '{run}'.", "run");

    public static ContentResult NoImage(string image) =>
        Problem(StatusCodes.Status404NotFound, $"There is no image '{image}' in {Containers.ProductImages}.", "name");

    private static ContentResult Problem(Problem problem) =>
        Content(JsonSerializer.Serialize(problem, PipelineJson.Options), MediaTypeNames.Application.ProblemJson, problem.Status);

    private static ContentResult Content(string content, string type, int status) =>
        new() { Content = content, ContentType = type, StatusCode = status };
}
