namespace FunctionsPipeline.Datasets;

/// <summary>Headers that have no property of their own.</summary>
internal static class ResponseHeaders
{
    /// <summary>The first value of a header; null when there is none.</summary>
    public static string? First(this HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
}
