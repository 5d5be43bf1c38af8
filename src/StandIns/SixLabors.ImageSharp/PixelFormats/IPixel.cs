namespace SixLabors.ImageSharp.PixelFormats;

/// <summary>A pixel that converts from and to 8-bit RGB(A).</summary>
public interface IPixel
{
    void FromL8(L8 source);

    void FromRgb24(Rgb24 source);

    void FromRgba32(Rgba32 source);

    void ToRgba32(ref Rgba32 dest);
}

/// <inheritdoc cref="IPixel"/>
public interface IPixel<TSelf> : IPixel, IEquatable<TSelf>
    where TSelf : unmanaged, IPixel<TSelf>
{
}
