using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Metadata;

namespace SixLabors.ImageSharp;

/// <summary>What an image's header says.</summary>
public class ImageInfo
{
    public ImageInfo(PixelTypeInfo pixelType, Size size, ImageMetadata? metadata)
    {
        PixelType = pixelType;
        Size = size;
        Metadata = metadata ?? new ImageMetadata();
    }

    public PixelTypeInfo PixelType { get; }

    public int Width => Size.Width;

    public int Height => Size.Height;

    public ImageMetadata Metadata { get; }

    public Size Size { get; }

    public Rectangle Bounds => new(0, 0, Width, Height);
}
