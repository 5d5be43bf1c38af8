using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Reads a JSON document from the body of an HTTP request.</summary>
internal static class RequestReader
{
    /// <summary>Field name of an error that concerns the complete body: the root in JSONPath.</summary>
    public const string WholeBody = "$";

    // Requests are typed by hand, so nulls in required members and duplicate members are reported as mistakes.
    private static readonly JsonSerializerOptions Options = new(PipelineJson.Options)
    {
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <param name="what">Description of the expected body, with an example, for error messages.</param>
    /// <exception cref="RequestException">The body is not JSON, has unknown members, or has values of the wrong type.</exception>
    public static async Task<T> ReadAsync<T>(Stream body, string what, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(body, Options, cancellationToken)
                ?? throw new RequestException(WholeBody, 400, $"The body is null; it should be {what}.");
        }
        catch (JsonException e)
        {
            throw new RequestException(Field(e.Path), 400, $"The body cannot be read as {what}: {e.Message}");
        }
    }

    // Turns the reader's JSON path, "$.training.learningRate", into the member name of the request, "training.learningRate".
    private static string Field(string? path) => path?.TrimStart('$').TrimStart('.') is { Length: > 0 } field ? field : WholeBody;
}
