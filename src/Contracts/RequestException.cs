namespace FunctionsPipeline.Contracts;

/// <summary>Thrown for an invalid request; the HTTP API turns it into a problem document.</summary>
/// <param name="field">Path of the offending member in the request, such as <c>dataset.columns.title</c>.</param>
/// <param name="status">HTTP status: 400 for a bad value, 404 for something that does not exist.</param>
/// <param name="message">The error and its remedy.</param>
public sealed class RequestException(string field, int status, string message) : Exception(message)
{
    public string Field { get; } = field;

    public int Status { get; } = status;
}
