using System.Runtime.InteropServices;

namespace Parquet.Columns;

/// <summary>Unpacks Zstandard frames with the system's libzstd.</summary>
internal static unsafe partial class Zstandard
{
    private const string Library = "libzstd.so.1";

    /// <summary>Fills all of <paramref name="page"/>.</summary>
    /// <exception cref="InvalidDataException">The frame is damaged or of another size.</exception>
    /// <exception cref="ParquetException">The library is not there.</exception>
    public static void Decode(ReadOnlySpan<byte> frame, Span<byte> page)
    {
        try
        {
            fixed (byte* source = frame, target = page)
            {
                var size = Decompress(target, (nuint)page.Length, source, (nuint)frame.Length);
                if (IsError(size) != 0) throw new InvalidDataException($"a Zstandard frame is damaged: {Marshal.PtrToStringUTF8(ErrorName(size))}");
                if (size != (nuint)page.Length) throw new InvalidDataException($"a page unpacks to {size} bytes instead of {page.Length}");
            }
        }
        catch (DllNotFoundException exception)
        {
            throw new ParquetException($"Zstandard needs {Library} (Debian's libzstd1)", exception);
        }
    }

    [LibraryImport(Library, EntryPoint = "ZSTD_decompress")]
    private static partial nuint Decompress(byte* target, nuint capacity, byte* source, nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint code);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint code);
}
