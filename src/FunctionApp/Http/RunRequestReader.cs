using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads a run request from the body of an HTTP request.</summary>
internal static class RunRequestReader
{
    /// <summary>The field that is named when it is not one of them, but the body itself: JSONPath's root.</summary>
    public const string WholeBody = "$";

    // A request is typed by hand: a null where a value belongs or a member given twice is a mistake worth pointing out.
    private static readonly JsonSerializerOptions Options = new(PipelineJson.Options)
    {
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <exception cref="RequestException">The body is no JSON, has unknown members, or values of the wrong type.</exception>
    public static async Task<RunRequest> ReadAsync(Stream body, CancellationToken cancellation)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<RunRequest>(body, Options, cancellation)
                ?? throw new RequestException(WholeBody, 400, "The body is null; it should be a run request, such as {\"dataset\": {\"repo\": \"owner/name\", …}}.");
        }
        catch (JsonException e)
        {
            throw new RequestException(Field(e.Path), 400, $"The body cannot be read as a run request: {e.Message}");
        }
    }

    // "$.training.learningRate" is "training.learningRate" for whoever wrote the request.
    private static string Field(string? path) => path?.TrimStart('$').TrimStart('.') is { Length: > 0 } field ? field : WholeBody;
}
