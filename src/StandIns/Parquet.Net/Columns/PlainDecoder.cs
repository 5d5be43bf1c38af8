using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Parquet.Schema;
using Utf8 = System.Text.Encoding;

namespace Parquet.Columns;

/// <summary>Values in the PLAIN encoding.</summary>
internal abstract class PlainDecoder<T>
    where T : struct
{
    /// <summary>The fewest bits that a value takes.</summary>
    protected abstract int MinimumBits { get; }

    /// <exception cref="ParquetException">Columns of this type cannot be read.</exception>
    public static PlainDecoder<T> Create(DataField field, Meta.Type physical)
    {
        object? decoder = (physical, typeof(T)) switch
        {
            (Meta.Type.BOOLEAN, var type) when type == typeof(bool) => new Booleans(),
            (Meta.Type.INT32, var type) when type == typeof(int) => new Numbers<int>(),
            (Meta.Type.INT32, var type) when type == typeof(uint) => new Numbers<uint>(),
            (Meta.Type.INT32, var type) when type == typeof(short) => new Narrowed<short>(static value => (short)value),
            (Meta.Type.INT32, var type) when type == typeof(ushort) => new Narrowed<ushort>(static value => (ushort)value),
            (Meta.Type.INT32, var type) when type == typeof(sbyte) => new Narrowed<sbyte>(static value => (sbyte)value),
            (Meta.Type.INT32, var type) when type == typeof(byte) => new Narrowed<byte>(static value => (byte)value),
            (Meta.Type.INT64, var type) when type == typeof(long) => new Numbers<long>(),
            (Meta.Type.INT64, var type) when type == typeof(ulong) => new Numbers<ulong>(),
            (Meta.Type.FLOAT, var type) when type == typeof(float) => new Numbers<float>(),
            (Meta.Type.DOUBLE, var type) when type == typeof(double) => new Numbers<double>(),
            (Meta.Type.BYTE_ARRAY, var type) when type == typeof(ReadOnlyMemory<byte>) => new Binaries(0),
            (Meta.Type.FIXED_LEN_BYTE_ARRAY, var type) when type == typeof(ReadOnlyMemory<byte>) && field.FixedLength > 0 => new Binaries(field.FixedLength),
            (Meta.Type.BYTE_ARRAY, var type) when type == typeof(ReadOnlyMemory<char>) => new Texts(),
            (_, var type) when type == typeof(decimal) => DecimalDecoder.For(field, physical),
            (_, var type) when type == typeof(DateTime) => MomentDecoder.For(field.SchemaElement, physical),
            (Meta.Type.FIXED_LEN_BYTE_ARRAY, var type) when type == typeof(Guid) && field.FixedLength == 16 => new Guids(),
            _ => null,
        };
        return decoder as PlainDecoder<T>
            ?? throw new ParquetException($"column '{field.Path}' stores {typeof(T)} as {physical}, which is not supported by this build");
    }

    /// <summary>Throws if the page is too short for so many values.</summary>
    public void CheckCount(ReadOnlyMemory<byte> page, int count)
    {
        if ((long)count * MinimumBits > page.Length * 8L)
            throw new InvalidDataException($"{count} values are said to be in {page.Length} bytes");
    }

    /// <summary>Fills all of <paramref name="values"/>; binary values are parts of <paramref name="page"/>.</summary>
    public abstract void Decode(ReadOnlyMemory<byte> page, Span<T> values);

    private sealed class Booleans : PlainDecoder<bool>
    {
        protected override int MinimumBits => 1;

        public override void Decode(ReadOnlyMemory<byte> page, Span<bool> values)
        {
            for (var i = 0; i < values.Length; i++) values[i] = (page.Span[i / 8] >> (i % 8) & 1) != 0;
        }
    }

    private sealed class Numbers<TNumber> : PlainDecoder<TNumber>
        where TNumber : unmanaged
    {
        protected override unsafe int MinimumBits => sizeof(TNumber) * 8;

        public override void Decode(ReadOnlyMemory<byte> page, Span<TNumber> values) =>
            MemoryMarshal.Cast<byte, TNumber>(page.Span)[..values.Length].CopyTo(values);
    }

    private sealed class Guids : PlainDecoder<Guid>
    {
        protected override int MinimumBits => 128;

        public override void Decode(ReadOnlyMemory<byte> page, Span<Guid> values)
        {
            for (var i = 0; i < values.Length; i++) values[i] = new Guid(page.Span.Slice(i * 16, 16), bigEndian: true);
        }
    }

    private sealed class Narrowed<TNumber>(Func<int, TNumber> narrow) : PlainDecoder<TNumber>
        where TNumber : struct
    {
        protected override int MinimumBits => 32;

        public override void Decode(ReadOnlyMemory<byte> page, Span<TNumber> values)
        {
            var numbers = MemoryMarshal.Cast<byte, int>(page.Span);
            for (var i = 0; i < values.Length; i++) values[i] = narrow(numbers[i]);
        }
    }

    private sealed class Binaries(int fixedLength) : PlainDecoder<ReadOnlyMemory<byte>>
    {
        protected override int MinimumBits => (fixedLength > 0 ? fixedLength : sizeof(int)) * 8;

        public override void Decode(ReadOnlyMemory<byte> page, Span<ReadOnlyMemory<byte>> values)
        {
            for (var i = 0; i < values.Length; i++)
            {
                var length = fixedLength > 0 ? fixedLength : BinaryPrimitives.ReadInt32LittleEndian(page.Span);
                if (fixedLength == 0) page = page[sizeof(int)..];
                values[i] = page[..length];
                page = page[length..];
            }
        }
    }

    private sealed class Texts : PlainDecoder<ReadOnlyMemory<char>>
    {
        protected override int MinimumBits => sizeof(int) * 8;

        public override void Decode(ReadOnlyMemory<byte> page, Span<ReadOnlyMemory<char>> values)
        {
            var bytes = page.Span;
            for (var i = 0; i < values.Length; i++)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
                values[i] = Utf8.UTF8.GetString(bytes.Slice(sizeof(int), length)).AsMemory();
                bytes = bytes[(sizeof(int) + length)..];
            }
        }
    }
}
