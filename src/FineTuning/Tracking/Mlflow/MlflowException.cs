using System.Net;

namespace FunctionsPipeline.FineTuning;

/// <summary>The tracking server refused a request.</summary>
/// <param name="code">MLflow's <c>error_code</c>, such as <c>RESOURCE_DOES_NOT_EXIST</c>; empty when the answer has none.</param>
/// <param name="retryAfter">How long the server wants to be left alone, when it says so.</param>
internal sealed class MlflowException(HttpStatusCode status, string code, string message, TimeSpan? retryAfter) : Exception(message)
{
    public string Code => code;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>Whether the same request can be answered otherwise later.</summary>
    public bool IsPassing => (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout;
}
