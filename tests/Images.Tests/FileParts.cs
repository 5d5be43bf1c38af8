using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace FunctionsPipeline.Images.Tests;

/// <summary>Files written by hand, for what no encoder would write.</summary>
internal static class FileParts
{
    private const int PngHeader = 33;

    /// <summary>A PNG of 8-bit RGB whose structure is complete, although there is no pixel in it.</summary>
    public static byte[] PngWithoutPixels(int width, int height, bool interlaced = false)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        // IHDR: 8 bits per sample, colour type 2 (RGB), then Adam7 interlacing or none.
        header[8] = 8;
        header[9] = 2;
        header[12] = interlaced ? (byte)1 : (byte)0;
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. Chunk("IHDR", header),
            .. Chunk("IDAT", [0x78, 0x9C, 3, 0, 0, 0, 0, 1]), .. Chunk("IEND", [])];
    }

    /// <summary>The PNG with another chunk behind its header.</summary>
    public static byte[] WithChunk(byte[] png, string type, byte[] content) =>
        [.. png[..PngHeader], .. Chunk(type, content), .. png[PngHeader..]];

    /// <summary>Zeros, packed to a thousandth.</summary>
    public static byte[] PackedZeros(int count)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal))
        {
            var part = new byte[1 << 16];
            for (var left = count; left > 0; left -= part.Length) zlib.Write(part, 0, Math.Min(left, part.Length));
        }
        return packed.ToArray();
    }

    /// <summary>The file with other bytes at an offset.</summary>
    public static byte[] With(byte[] file, int offset, params ReadOnlySpan<byte> bytes)
    {
        var changed = (byte[])file.Clone();
        bytes.CopyTo(changed.AsSpan(offset));
        return changed;
    }

    /// <summary>The PNG with the checksums that its chunks should have, as far as there are chunks.</summary>
    public static byte[] WithChecksums(byte[] png)
    {
        var changed = (byte[])png.Clone();
        for (long position = 8; position + 12 <= png.Length;)
        {
            var end = position + 8 + BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan((int)position));
            if (end + 4 > png.Length) break;
            BinaryPrimitives.WriteUInt32BigEndian(changed.AsSpan((int)end), Crc32(png[((int)position + 4)..(int)end]));
            position = end + 4;
        }
        return changed;
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] content = [.. Encoding.ASCII.GetBytes(type), .. data];
        var (length, checksum) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(checksum, Crc32(content));
        return [.. length, .. content, .. checksum];
    }

    private static uint Crc32(byte[] content)
    {
        var crc = uint.MaxValue;
        foreach (var value in content)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0xEDB88320;
        }
        return ~crc;
    }
}
