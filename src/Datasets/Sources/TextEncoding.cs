using System.Text;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>Encodings of tables: what a byte order mark says, else UTF-8, else Windows-1252 where the bytes are no valid UTF-8.</summary>
internal static class TextEncoding
{
    /// <summary>UTF-8 that throws <see cref="DecoderFallbackException"/> for bytes that are none.</summary>
    public static Encoding Utf8 { get; } = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static Encoding Windows1252 { get; } = CodePagesEncodingProvider.Instance.GetEncoding(1252)!;

    /// <summary>Opens a reader at the start of a stream, which stays open.</summary>
    /// <param name="encoding">Encoding of a stream without a byte order mark.</param>
    public static StreamReader Read(Stream stream, Encoding encoding)
    {
        stream.Position = 0;
        return new StreamReader(stream, encoding, detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 16, leaveOpen: true);
    }

    /// <summary>Finds the encoding of a stream.</summary>
    /// <inheritdoc cref="Read"/>
    public static async Task<Encoding> FindAsync(Stream stream, Encoding encoding, CancellationToken cancellationToken)
    {
        using var reader = Read(stream, encoding);
        await reader.ReadAsync(new char[1], cancellationToken);
        return reader.CurrentEncoding;
    }

    /// <summary>
    /// Opens JSON at the start of a stream, which stays open: as it is in UTF-8, and in Windows-1252, which is not JSON and is refused by
    /// its reader; transcoded otherwise.
    /// </summary>
    public static Stream ReadJson(Stream stream, Encoding found)
    {
        stream.Position = 0;
        return found.CodePage == Utf8.CodePage || found == Windows1252 ? stream
            : Encoding.CreateTranscodingStream(stream, found, Utf8, leaveOpen: true);
    }

    /// <summary>Returns the usual name of an encoding.</summary>
    public static string NameOf(Encoding encoding) => encoding.CodePage switch
    {
        1200 => "UTF-16 LE",
        1201 => "UTF-16 BE",
        1252 => "Windows-1252",
        65001 => "UTF-8",
        _ => encoding.WebName,
    };
}
