using SixLabors.ImageSharp.Processing.Processors.Transforms;

namespace SixLabors.ImageSharp.Processing;

/// <summary>What the extensions of <see cref="IImageProcessingContext"/> come down to.</summary>
internal interface IPixelOperations
{
    void Resize(Size size, IResampler sampler);

    void Crop(Rectangle rectangle);

    /// <summary>A quarter turn clockwise.</summary>
    void Rotate90();

    void FlipHorizontally();

    void AutoOrient();
}
