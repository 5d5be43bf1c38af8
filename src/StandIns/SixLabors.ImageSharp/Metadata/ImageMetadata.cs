using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;

namespace SixLabors.ImageSharp.Metadata;

/// <summary>What is known of an image beside its pixels.</summary>
public sealed class ImageMetadata
{
    /// <summary>The format the image was decoded from; null for an image that was not decoded.</summary>
    public IImageFormat? DecodedImageFormat { get; internal set; }

    public ExifProfile? ExifProfile { get; set; }

    public ImageMetadata DeepClone() => new()
    {
        DecodedImageFormat = DecodedImageFormat,
        ExifProfile = ExifProfile?.DeepClone(),
    };
}
