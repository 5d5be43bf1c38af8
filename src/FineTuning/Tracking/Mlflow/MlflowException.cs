using System.Net;

namespace FunctionsPipeline.FineTuning;

/// <summary>Thrown when the tracking server refuses a request.</summary>
/// <param name="code">MLflow's <c>error_code</c>, such as <c>RESOURCE_DOES_NOT_EXIST</c>; empty when the response has none.</param>
/// <param name="retryAfter">Time to wait before a retry, from the response's Retry-After header; null without one.</param>
internal sealed class MlflowException(HttpStatusCode status, string code, string message, TimeSpan? retryAfter) : Exception(message)
{
    public string Code => code;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>True when the same request may succeed later.</summary>
    public bool IsPassing => (int)status >= 500 || status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout;
}
