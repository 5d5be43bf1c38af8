namespace FunctionsPipeline.Contracts;

/// <summary>A request that cannot be carried out as it is; becomes a problem document.</summary>
/// <param name="field">Path of the offending member in the request, such as <c>dataset.columns.title</c>.</param>
/// <param name="status">HTTP status: 400 for a bad value, 404 for something that does not exist.</param>
/// <param name="message">What is wrong and what would be right.</param>
public sealed class RequestException(string field, int status, string message) : Exception(message)
{
    public string Field { get; } = field;

    public int Status { get; } = status;
}
