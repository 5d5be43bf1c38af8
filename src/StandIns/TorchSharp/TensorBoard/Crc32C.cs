using System.Numerics;

namespace TorchSharp;

/// <summary>CRC-32C (Castagnoli), as event files use it.</summary>
internal static class Crc32C
{
    /// <summary>Of bytes that may hold checksums themselves: rotated and moved, https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h.</summary>
    public static uint Masked(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes) crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
