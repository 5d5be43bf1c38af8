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
