namespace SixLabors.ImageSharp.Processing;

/// <summary>An image under <c>Mutate</c>; the operations are extensions.</summary>
public interface IImageProcessingContext
{
    Configuration Configuration { get; }

    Size GetCurrentSize();
}
