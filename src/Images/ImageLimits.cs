namespace FunctionsPipeline.Images;

/// <summary>Limits on the size of an image, checked before any pixel is decoded.</summary>
public sealed record ImageLimits
{
    public static ImageLimits Default { get; } = new();

    /// <summary>Maximum file size in bytes.</summary>
    public long MaxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// Maximum number of pixels, width times height. Memory per pixel: 3 bytes once read, 7 while decoding, up to 12 for an interlaced PNG
    /// or a progressive JPEG.
    /// </summary>
    public long MaxPixels { get; init; } = 64_000_000;

    /// <summary>Maximum length of the longer side, in pixels.</summary>
    public int MaxSide { get; init; } = 20_000;

    /// <summary>
    /// Maximum ratio of the longer side to the shorter one. The model may scale the longer side down to 336 pixels; above this ratio the
    /// shorter side would be less than one pixel.
    /// </summary>
    public double MaxAspectRatio { get; init; } = 336;
}
