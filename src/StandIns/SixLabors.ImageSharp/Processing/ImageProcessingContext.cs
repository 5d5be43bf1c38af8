using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Processing;

/// <summary>Applies operations to an image in place.</summary>
internal sealed class ImageProcessingContext<TPixel>(Image<TPixel> image) : IImageProcessingContext, IPixelOperations
    where TPixel : unmanaged, IPixel<TPixel>
{
    public Configuration Configuration => image.Configuration;

    public Size GetCurrentSize() => image.Size;

    public void Resize(Size size, IResampler sampler)
    {
        if (size == image.Size) return;
        image.Replace(Resizing.Resize(image, size, sampler), size.Width, size.Height);
    }

    public void Crop(Rectangle rectangle)
    {
        if (rectangle.Left < 0 || rectangle.Top < 0 || rectangle.Right > image.Width || rectangle.Bottom > image.Height
            || rectangle.Width <= 0 || rectangle.Height <= 0)
            throw new ArgumentException($"{rectangle} is not within the image of {image.Width} x {image.Height}.", nameof(rectangle));
        var target = Allocate(rectangle.Width, rectangle.Height);
        for (var y = 0; y < rectangle.Height; y++)
            image.Row(rectangle.Y + y).Slice(rectangle.X, rectangle.Width).CopyTo(target.AsSpan(y * rectangle.Width));
        image.Replace(target, rectangle.Width, rectangle.Height);
    }

    public void Rotate90()
    {
        var (width, height) = (image.Height, image.Width);
        var target = Allocate(width, height);
        for (var y = 0; y < image.Height; y++)
        {
            var row = image.Row(y);
            for (var x = 0; x < row.Length; x++) target[(x * width) + width - 1 - y] = row[x];
        }
        image.Replace(target, width, height);
    }

    public void FlipHorizontally()
    {
        for (var y = 0; y < image.Height; y++) image.Row(y).Reverse();
    }

    public void AutoOrient()
    {
        var profile = image.Metadata.ExifProfile;
        if (profile is null || !profile.TryGetValue(ExifTag.Orientation, out var orientation)) return;
        var (quarterTurns, flip) = orientation.Value switch
        {
            ExifOrientationMode.TopRight => (0, true),
            ExifOrientationMode.BottomRight => (2, false),
            ExifOrientationMode.BottomLeft => (2, true),
            ExifOrientationMode.LeftTop => (1, true),
            ExifOrientationMode.RightTop => (1, false),
            ExifOrientationMode.RightBottom => (3, true),
            ExifOrientationMode.LeftBottom => (3, false),
            _ => (0, false),
        };
        for (var i = 0; i < quarterTurns; i++) Rotate90();
        if (flip) FlipHorizontally();
        profile.SetValue(ExifTag.Orientation, ExifOrientationMode.TopLeft);
    }

    private TPixel[] Allocate(int width, int height) => image.Configuration.MemoryAllocator.Allocate<TPixel>(width, height);
}
