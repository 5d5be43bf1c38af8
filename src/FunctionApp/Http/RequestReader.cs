using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads a request from the body of an HTTP request.</summary>
internal static class RequestReader
{
    /// <summary>The field that is named when it is not one of them, but the body itself: JSONPath's root.</summary>
    public const string WholeBody = "$";

    // A request is typed by hand: a null where a value belongs or a member given twice is a mistake worth pointing out.
    private static readonly JsonSerializerOptions Options = new(PipelineJson.Options)
    {
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <param name="what">What the body should be, with an example, for whoever gets it wrong.</param>
    /// <exception cref="RequestException">The body is no JSON, has unknown members, or values of the wrong type.</exception>
    public static async Task<T> ReadAsync<T>(Stream body, string what, CancellationToken cancellation)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(body, Options, cancellation)
                ?? throw new RequestException(WholeBody, 400, $"The body is null; it should be {what}.");
        }
        catch (JsonException e)
        {
            throw new RequestException(Field(e.Path), 400, $"The body cannot be read as {what}: {e.Message}");
        }
    }

    // "$.training.learningRate" is "training.learningRate" for whoever wrote the request.
    private static string Field(string? path) => path?.TrimStart('$').TrimStart('.') is { Length: > 0 } field ? field : WholeBody;
}
