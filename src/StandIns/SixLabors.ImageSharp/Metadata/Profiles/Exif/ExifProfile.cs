using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace SixLabors.ImageSharp.Metadata.Profiles.Exif;

/// <summary>A value of an EXIF profile.</summary>
public interface IExifValue<TValueType>
{
    TValueType? Value { get; set; }
}

/// <summary>The EXIF entries of an image; of the real profile's entries, this one keeps the 16-bit numbers of the first directory.</summary>
public sealed class ExifProfile
{
    private readonly Dictionary<ushort, ushort> shorts = [];

    public ExifProfile() { }

    /// <param name="data">The TIFF structure, with or without "Exif\0\0" before it. Damaged data yields the entries before the damage.</param>
    public ExifProfile(byte[]? data)
    {
        ReadOnlySpan<byte> tiff = data;
        if (tiff.StartsWith("Exif\0\0"u8)) tiff = tiff[6..];
        Read(tiff);
    }

    public ExifProfile DeepClone()
    {
        var clone = new ExifProfile();
        foreach (var (tag, value) in shorts) clone.shorts[tag] = value;
        return clone;
    }

    public bool TryGetValue<TValueType>(ExifTag<TValueType> tag, [NotNullWhen(true)] out IExifValue<TValueType>? exifValue)
    {
        exifValue = shorts.TryGetValue((ushort)tag, out var value) ? new ExifShort(value) as IExifValue<TValueType> : null;
        return exifValue is not null;
    }

    public void SetValue<TValueType>(ExifTag<TValueType> tag, TValueType value)
        where TValueType : notnull => shorts[(ushort)tag] = Convert.ToUInt16(value, null);

    private void Read(ReadOnlySpan<byte> tiff)
    {
        if (tiff.Length < 8) return;
        var little = tiff.StartsWith("II"u8);
        if (!little && !tiff.StartsWith("MM"u8)) return;
        var offset = UInt32(tiff[4..], little);
        if (offset + 2L > tiff.Length) return;
        var entries = tiff[(int)offset..];
        for (int left = UInt16(entries, little), at = 2; left > 0 && at + 12 <= entries.Length; left--, at += 12)
        {
            var entry = entries.Slice(at, 12);
            const ushort shortType = 3;
            if (UInt16(entry[2..], little) == shortType && UInt32(entry[4..], little) == 1)
                shorts[UInt16(entry, little)] = UInt16(entry[8..], little);
        }
    }

    private static ushort UInt16(ReadOnlySpan<byte> data, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(data) : BinaryPrimitives.ReadUInt16BigEndian(data);

    private static uint UInt32(ReadOnlySpan<byte> data, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(data) : BinaryPrimitives.ReadUInt32BigEndian(data);

    private sealed class ExifShort(ushort value) : IExifValue<ushort>
    {
        public ushort Value { get; set; } = value;
    }
}
