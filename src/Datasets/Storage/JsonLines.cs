using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>Reads JSON lines of a blob from the middle on, by ranged reads.</summary>
public static class JsonLines
{
    private const int ReadBytes = 256 * 1024;

    /// <summary>
    /// Reads the complete lines from an offset on; a last line without its newline is still being written and is left out.
    /// </summary>
    /// <param name="offset">Offset of the beginning of a line, in bytes.</param>
    /// <returns>Each line with the offset of its end, where the next one begins. A line is valid until the next is asked for.</returns>
    /// <exception cref="FormatException">No line begins at the offset.</exception>
    /// <exception cref="RequestFailedException">There is no such blob, or storage does not answer.</exception>
    public static async IAsyncEnumerable<(ReadOnlyMemory<byte> Line, long End)> ReadLinesAsync(
        this BlobClient blob, long offset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // The byte before the first line tells whether a line begins there.
        var position = offset > 0 ? offset - 1 : 0;
        var isFirst = offset > 0;
        byte[] rest = [];
        while (true)
        {
            var read = await ReadAsync(blob, position, cancellationToken);
            position += read.Length;
            var isLast = read.Length < ReadBytes;
            if (isFirst && (read.IsEmpty || read.Span[0] != '\n')) throw new FormatException($"No line begins at byte {offset}.");
            if (isFirst) read = read[1..];
            isFirst = false;
            if (rest.Length > 0) read = (byte[])[.. rest, .. read.Span];
            for (int length; (length = read.Span.IndexOf((byte)'\n')) >= 0; read = read[(length + 1)..])
            {
                offset += length + 1;
                yield return (read[..length], offset);
            }
            if (isLast) yield break;
            rest = read.ToArray();
        }
    }

    // Empty at the end of the blob.
    private static async Task<ReadOnlyMemory<byte>> ReadAsync(BlobClient blob, long position, CancellationToken cancellationToken)
    {
        try
        {
            var options = new BlobDownloadOptions { Range = new HttpRange(position, ReadBytes) };
            return (await blob.DownloadContentAsync(options, cancellationToken)).Value.Content.ToMemory();
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.InvalidRange)
        {
            return default;
        }
    }
}
