using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.PixelFormats;

/// <summary>8-bit luminance.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct L8 : IPixel<L8>
{
    public L8(byte luminance) => PackedValue = luminance;

    public byte PackedValue { get; set; }

    public static bool operator ==(L8 left, L8 right) => left.Equals(right);

    public static bool operator !=(L8 left, L8 right) => !left.Equals(right);

    public void FromL8(L8 source) => this = source;

    public void FromRgb24(Rgb24 source) => PackedValue = Luminance(source.R, source.G, source.B);

    public void FromRgba32(Rgba32 source) => PackedValue = Luminance(source.R, source.G, source.B);

    public readonly void ToRgba32(ref Rgba32 dest) => dest = new Rgba32(PackedValue, PackedValue, PackedValue);

    public readonly bool Equals(L8 other) => PackedValue == other.PackedValue;

    public override readonly bool Equals(object? obj) => obj is L8 other && Equals(other);

    public override readonly int GetHashCode() => PackedValue.GetHashCode();

    public override readonly string ToString() => $"L8({PackedValue})";

    // ITU-R BT.709 luma.
    private static byte Luminance(byte r, byte g, byte b) => (byte)((r * .2126F) + (g * .7152F) + (b * .0722F) + 0.5F);
}
