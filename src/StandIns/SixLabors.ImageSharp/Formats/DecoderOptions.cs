using SixLabors.ImageSharp.Processing;
using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Formats;

/// <summary>How an image is decoded.</summary>
public sealed class DecoderOptions
{
    internal static DecoderOptions Default { get; } = new();

    /// <summary>Where the memory limit comes from.</summary>
    public Configuration Configuration { get; init; } = Configuration.Default;

    /// <summary>The image is fitted into this size; a JPEG is scaled while it is decoded.</summary>
    public Size? TargetSize { get; init; }

    /// <summary>The filter for <see cref="TargetSize"/>.</summary>
    public IResampler Sampler { get; init; } = KnownResamplers.Box;

    /// <summary>Whether to leave out EXIF and the like.</summary>
    public bool SkipMetadata { get; init; }

    /// <summary>How many frames of an animation are decoded; this build decodes the first.</summary>
    public uint MaxFrames { get; init; } = int.MaxValue;
}
