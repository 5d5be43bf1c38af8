using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Images;

/// <summary>Bytes that are not an image the pipeline can read.</summary>
/// <param name="reason">One of <see cref="Rejection"/>.</param>
/// <param name="detail">What exactly is wrong, for a person.</param>
public sealed class UnreadableImageException(string reason, string detail, Exception? cause = null)
    : Exception($"{reason}: {detail}", cause)
{
    public string Reason { get; } = reason;

    public string Detail { get; } = detail;
}
