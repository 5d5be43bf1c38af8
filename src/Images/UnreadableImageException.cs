using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Images;

/// <summary>Thrown for bytes that are not a readable image.</summary>
/// <param name="reason">One of <see cref="Rejection"/>.</param>
/// <param name="detail">Human-readable details of the error.</param>
public sealed class UnreadableImageException(string reason, string detail, Exception? cause = null)
    : Exception($"{reason}: {detail}", cause)
{
    public string Reason { get; } = reason;

    public string Detail { get; } = detail;
}
