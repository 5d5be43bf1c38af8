using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Processing;

/// <summary>How an image meets a size of another aspect ratio.</summary>
public enum ResizeMode
{
    /// <summary>Fill the size and cut off what is over, equally on both sides.</summary>
    Crop = 0,

    /// <summary>Fit within the size.</summary>
    Max = 3,

    /// <summary>Change the aspect ratio.</summary>
    Stretch = 5,
}

/// <summary>What to resize to, and how.</summary>
public class ResizeOptions
{
    public ResizeMode Mode { get; set; } = ResizeMode.Crop;

    public Size Size { get; set; }

    public IResampler Sampler { get; set; } = KnownResamplers.Bicubic;
}
