using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp.Processing;

/// <summary>Changing an image, or a copy of it.</summary>
public static class ProcessingExtensions
{
    public static void Mutate(this Image source, Action<IImageProcessingContext> operation) => source.Mutate(operation);

    public static void Mutate<TPixel>(this Image<TPixel> source, Action<IImageProcessingContext> operation)
        where TPixel : unmanaged, IPixel<TPixel> => ((Image)source).Mutate(operation);

    public static Image<TPixel> Clone<TPixel>(this Image<TPixel> source, Action<IImageProcessingContext> operation)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var clone = source.Clone();
        clone.Mutate(operation);
        return clone;
    }
}
