using System.Buffers.Binary;
using System.Numerics;
using Parquet.Schema;

namespace Parquet.Columns;

/// <summary>Decimals in the PLAIN encoding: an integer, little-endian in 32 or 64 bits or big-endian in bytes, and a scale.</summary>
internal sealed class DecimalDecoder : PlainDecoder<decimal>
{
    private const int MaximumScale = 28;

    private readonly Meta.Type physical;
    private readonly int width;
    private readonly byte scale;

    private DecimalDecoder(Meta.Type physical, int width, int scale)
    {
        this.physical = physical;
        this.width = width;
        this.scale = (byte)scale;
    }

    protected override int MinimumBits => (width > 0 ? width : sizeof(int)) * 8;

    /// <returns>Null if .NET has no decimal for the column.</returns>
    public static DecimalDecoder? For(DataField field, Meta.Type physical)
    {
        int? width = physical switch
        {
            Meta.Type.INT32 => sizeof(int),
            Meta.Type.INT64 => sizeof(long),
            Meta.Type.FIXED_LEN_BYTE_ARRAY when field.FixedLength > 0 => field.FixedLength,
            Meta.Type.BYTE_ARRAY => 0,
            _ => null,
        };
        return width is null || field.Scale is < 0 or > MaximumScale ? null : new DecimalDecoder(physical, width.Value, field.Scale);
    }

    public override void Decode(ReadOnlyMemory<byte> page, Span<decimal> values)
    {
        var bytes = page.Span;
        for (var i = 0; i < values.Length; i++)
        {
            var length = width;
            if (length == 0)
            {
                length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
                bytes = bytes[sizeof(int)..];
            }
            var bigEndian = physical is Meta.Type.FIXED_LEN_BYTE_ARRAY or Meta.Type.BYTE_ARRAY;
            values[i] = Scaled((decimal)new BigInteger(bytes[..length], isBigEndian: bigEndian));
            bytes = bytes[length..];
        }
    }

    private decimal Scaled(decimal whole)
    {
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(whole, parts);
        return new decimal(parts[0], parts[1], parts[2], whole < 0, scale);
    }
}
