using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Processing;

/// <summary>Turning a picture the way its EXIF orientation asks for.</summary>
public static class AutoOrientExtensions
{
    public static IImageProcessingContext AutoOrient(this IImageProcessingContext source)
    {
        ((IPixelOperations)source).AutoOrient();
        return source;
    }
}

/// <summary>Cutting out a rectangle.</summary>
public static class CropExtensions
{
    public static IImageProcessingContext Crop(this IImageProcessingContext source, int width, int height) =>
        Crop(source, new Rectangle(0, 0, width, height));

    public static IImageProcessingContext Crop(this IImageProcessingContext source, Rectangle cropRectangle)
    {
        ((IPixelOperations)source).Crop(cropRectangle);
        return source;
    }
}

/// <summary>Resizing; a width or height of 0 keeps the aspect ratio, the filter is bicubic unless given.</summary>
public static class ResizeExtensions
{
    public static IImageProcessingContext Resize(this IImageProcessingContext source, Size size) => Resize(source, size.Width, size.Height);

    public static IImageProcessingContext Resize(this IImageProcessingContext source, int width, int height) =>
        Resize(source, width, height, KnownResamplers.Bicubic);

    public static IImageProcessingContext Resize(this IImageProcessingContext source, int width, int height, IResampler sampler)
    {
        ((IPixelOperations)source).Resize(ResizeGeometry.Complete(source.GetCurrentSize(), width, height), sampler);
        return source;
    }

    public static IImageProcessingContext Resize(this IImageProcessingContext source, ResizeOptions options)
    {
        var target = ResizeGeometry.Complete(source.GetCurrentSize(), options.Size.Width, options.Size.Height);
        if (options.Mode != ResizeMode.Crop)
        {
            var size = options.Mode == ResizeMode.Max ? ResizeGeometry.Max(source.GetCurrentSize(), target) : target;
            return Resize(source, size.Width, size.Height, options.Sampler);
        }
        var covering = ResizeGeometry.Cover(source.GetCurrentSize(), target);
        return Resize(source, covering.Width, covering.Height, options.Sampler).Crop(new Rectangle(
            (covering.Width - target.Width) / 2, (covering.Height - target.Height) / 2, target.Width, target.Height));
    }
}
