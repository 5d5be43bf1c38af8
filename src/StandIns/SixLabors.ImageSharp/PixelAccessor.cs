using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp;

/// <summary>What <see cref="Image{TPixel}.ProcessPixelRows(PixelAccessorAction{TPixel})"/> runs.</summary>
public delegate void PixelAccessorAction<TPixel>(PixelAccessor<TPixel> pixelAccessor)
    where TPixel : unmanaged, IPixel<TPixel>;

/// <summary>What <see cref="Image{TPixel}.ProcessPixelRows{TPixel2}"/> runs.</summary>
public delegate void PixelAccessorAction<TPixel1, TPixel2>(PixelAccessor<TPixel1> pixelAccessor1, PixelAccessor<TPixel2> pixelAccessor2)
    where TPixel1 : unmanaged, IPixel<TPixel1>
    where TPixel2 : unmanaged, IPixel<TPixel2>;

/// <summary>The rows of an image, valid during <see cref="Image{TPixel}.ProcessPixelRows(PixelAccessorAction{TPixel})"/>.</summary>
public ref struct PixelAccessor<TPixel>
    where TPixel : unmanaged, IPixel<TPixel>
{
    private readonly Image<TPixel> image;

    internal PixelAccessor(Image<TPixel> image) => this.image = image;

    public int Width => image.Width;

    public int Height => image.Height;

    public Span<TPixel> GetRowSpan(int rowIndex) => image.Row(rowIndex);
}
