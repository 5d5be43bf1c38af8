using System.Buffers.Binary;
using System.Numerics;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// File of one image's features, little-endian: "PFv1", element type, views, height, width, number of bytes, CRC-32C of everything else, of
/// four bytes each, then the values.
/// </summary>
internal static class FeatureFile
{
    private const int HeaderBytes = 28;
    private const int ChecksumAt = 24;

    private static ReadOnlySpan<byte> Magic => "PFv1"u8;

    /// <summary>Computes the size of the file in bytes.</summary>
    public static long SizeOf(ImageFeatures features) => HeaderBytes + (long)features.Values.Length;

    /// <summary>Writes the file under a temporary name and renames it, so that a reader never finds a partial file.</summary>
    public static void Write(string path, ImageFeatures features)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        foreach (var (value, i) in new[] { (int)features.Type, features.Views, features.Height, features.Width, features.Values.Length }.Select((v, i) => (v, i)))
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4 + 4 * i), value);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(ChecksumAt), Checksum(header.AsSpan(0, ChecksumAt), features.Values));
        var draft = $"{path}.{Guid.NewGuid():N}";
        try
        {
            using (var file = File.OpenHandle(draft, FileMode.CreateNew, FileAccess.Write))
                RandomAccess.Write(file, [header, features.Values], 0);
            File.Move(draft, path, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>Reads the file; null when it is incomplete or damaged.</summary>
    public static ImageFeatures? Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < HeaderBytes || !bytes.AsSpan().StartsWith(Magic)) return null;
        int Number(int i) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4 + 4 * i));
        if (Number(4) != bytes.Length - HeaderBytes) return null;
        var values = bytes[HeaderBytes..];
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(ChecksumAt)) == Checksum(bytes.AsSpan(0, ChecksumAt), values)
            ? new ImageFeatures(values, (ScalarType)Number(0), Number(1), Number(2), Number(3))
            : null;
    }

    // CRC-32C of header and values, eight bytes at a time; an 8-byte step equals eight 1-byte steps in little-endian order.
    private static uint Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> values) => Add(Add(uint.MaxValue, header), values);

    private static uint Add(uint checksum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var single in bytes) checksum = BitOperations.Crc32C(checksum, single);
        return checksum;
    }
}
