namespace FunctionsPipeline.Contracts;

/// <summary>Thrown for an invalid request; the HTTP API turns it into a problem document.</summary>
/// <param name="field">Path of the offending member in the request, such as <c>dataset.columns.title</c>.</param>
/// <param name="status">HTTP status: 400 for a bad value, 404 for something that does not exist, 409 for something that does not
/// allow the request as it is.</param>
/// <param name="message">The error and its remedy.</param>
public sealed class RequestException(string field, int status, string message) : Exception(message)
{
    public string Field { get; } = field;

    public int Status { get; } = status;
}

/// <summary>A problem document (RFC 9457): the body of every error response.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">Kind of problem.</param>
/// <param name="Detail">The error and its remedy.</param>
public sealed record Problem(int Status, string Title, string Detail)
{
    /// <summary>Path of the offending member in the request, such as <c>training.learningRate</c>.</summary>
    public string? Field { get; init; }

    /// <summary>All errors, when the request has more than one.</summary>
    public IReadOnlyList<FieldError>? Errors { get; init; }
}

/// <summary>Error in one member of a request.</summary>
/// <param name="Field">Path of the member, such as <c>training.learningRate</c>.</param>
public sealed record FieldError(string Field, string Message);
