using System.Buffers.Binary;

namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>The CRC-32 of chunks (W3C PNG, 5.5).</summary>
internal static class PngChecksum
{
    private const int Stride = 8;

    // Entry [k * 256 + b] is the checksum of byte b followed by k zeros, so that eight bytes are taken in at once.
    private static readonly uint[] Table = MakeTable();

    public static uint Of(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        for (; data.Length >= Stride; data = data[Stride..])
        {
            crc ^= BinaryPrimitives.ReadUInt32LittleEndian(data);
            crc = Table[(7 * 256) + (byte)crc] ^ Table[(6 * 256) + (byte)(crc >> 8)]
                ^ Table[(5 * 256) + (byte)(crc >> 16)] ^ Table[(4 * 256) + (int)(crc >> 24)]
                ^ Table[(3 * 256) + data[4]] ^ Table[(2 * 256) + data[5]] ^ Table[256 + data[6]] ^ Table[data[7]];
        }
        foreach (var value in data) crc = (crc >> 8) ^ Table[(byte)(crc ^ value)];
        return ~crc;
    }

    private static uint[] MakeTable()
    {
        const uint polynomial = 0xEDB88320;
        var table = new uint[Stride * 256];
        for (var i = 0; i < 256; i++)
        {
            table[i] = (uint)i;
            for (var bit = 0; bit < 8; bit++) table[i] = (table[i] & 1) == 0 ? table[i] >> 1 : (table[i] >> 1) ^ polynomial;
        }
        for (var i = 256; i < table.Length; i++) table[i] = (table[i - 256] >> 8) ^ table[(byte)table[i - 256]];
        return table;
    }
}
