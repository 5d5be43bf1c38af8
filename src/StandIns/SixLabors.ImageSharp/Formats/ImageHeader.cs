using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;

namespace SixLabors.ImageSharp.Formats;

/// <summary>What the header of an encoded image says.</summary>
internal sealed record ImageHeader(IImageFormat Format, int Width, int Height, int BitsPerPixel)
{
    /// <summary>The EXIF segment before the pixels, or null.</summary>
    public byte[]? Exif { get; init; }

    public ImageMetadata ToMetadata(DecoderOptions options) => new()
    {
        DecodedImageFormat = Format,
        ExifProfile = Exif is null || options.SkipMetadata ? null : new ExifProfile(Exif),
    };

    public ImageInfo ToImageInfo(DecoderOptions options) =>
        new(new PixelTypeInfo(BitsPerPixel), new Size(Width, Height), ToMetadata(options));
}
