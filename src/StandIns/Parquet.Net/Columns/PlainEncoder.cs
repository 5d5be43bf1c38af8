using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Utf8 = System.Text.Encoding;

namespace Parquet.Columns;

/// <summary>Writes values in the PLAIN encoding.</summary>
internal static class PlainEncoder
{
    public static void Encode<T>(ReadOnlySpan<T> values, Stream output)
        where T : struct
    {
        if (typeof(T) == typeof(bool)) Booleans(MemoryMarshal.Cast<T, bool>(values), output);
        else if (typeof(T) == typeof(ReadOnlyMemory<byte>)) foreach (var value in values) Binary(((ReadOnlyMemory<byte>)(object)value).Span, output);
        else if (typeof(T) == typeof(ReadOnlyMemory<char>)) foreach (var value in values) Text(((ReadOnlyMemory<char>)(object)value).Span, output);
        else if (Marshal.SizeOf<T>() < sizeof(int)) foreach (var value in values) Narrow(value, output);
        else output.Write(MemoryMarshal.AsBytes(values));
    }

    private static void Booleans(ReadOnlySpan<bool> values, Stream output)
    {
        var bytes = new byte[(values.Length + 7) / 8];
        for (var i = 0; i < values.Length; i++)
            if (values[i]) bytes[i / 8] |= (byte)(1 << (i % 8));
        output.Write(bytes);
    }

    private static void Narrow<T>(T value, Stream output)
        where T : struct
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, Convert.ToInt32(value, null));
        output.Write(bytes);
    }

    private static void Text(ReadOnlySpan<char> value, Stream output)
    {
        var bytes = new byte[Utf8.UTF8.GetByteCount(value)];
        Utf8.UTF8.GetBytes(value, bytes);
        Binary(bytes, output);
    }

    private static void Binary(ReadOnlySpan<byte> value, Stream output)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, value.Length);
        output.Write(length);
        output.Write(value);
    }
}
