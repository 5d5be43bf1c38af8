namespace SixLabors.ImageSharp.Formats;

/// <summary>The depth of the encoded pixels.</summary>
public class PixelTypeInfo
{
    public PixelTypeInfo(int bitsPerPixel) => BitsPerPixel = bitsPerPixel;

    public int BitsPerPixel { get; }
}
