namespace FunctionsPipeline.Images;

/// <summary>What an image may be at most. All of it is checked before a pixel is decoded.</summary>
public sealed record ImageLimits
{
    public static ImageLimits Default { get; } = new();

    /// <summary>Bytes of the file.</summary>
    public long MaxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// Width times height. A pixel that has been read takes three bytes; while it is decoded, seven, and in an interlaced PNG or a
    /// progressive JPEG up to twelve.
    /// </summary>
    public long MaxPixels { get; init; } = 64_000_000;

    /// <summary>Pixels of the longer side.</summary>
    public int MaxSide { get; init; } = 20_000;

    /// <summary>
    /// The longer side over the shorter one. The model scales an image to 336 pixels along its longer side at the least, and above
    /// this ratio nothing would be left of the shorter one.
    /// </summary>
    public double MaxAspectRatio { get; init; } = 336;
}
