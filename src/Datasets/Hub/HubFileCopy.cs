using System.Net.Http.Headers;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Copies files of the Hub to blob storage in blocks, so that a later attempt can resume from the staged blocks. A file is complete when
/// its blob's metadata holds its checksum, under <c>sha256</c> or, for files without a SHA-256 on the Hub, <c>gitoid</c>; the metadata is
/// written with the last commit, after the content has been verified.
/// </summary>
public sealed class HubFileCopy(HubClient hub)
{
    /// <summary>Copies a file unless the target already has it; resumes from the blocks of an earlier attempt.</summary>
    /// <param name="commit">Commit whose listing contains <paramref name="file"/>.</param>
    /// <param name="target">Blob to write; other content in it is replaced.</param>
    /// <param name="progress">Receives the number of bytes stored so far, those of earlier attempts included.</param>
    /// <returns>True when this call completed the file.</returns>
    /// <exception cref="HubException">The Hub refused or is unreachable; the checksum does not match, in which case the content was
    /// discarded; or another process is copying the same file. In the last two cases a retry may succeed.</exception>
    public async Task<bool> CopyAsync(HubRepositoryKind kind, string repo, string commit, HubFileInfo file, BlockBlobClient target,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        using var checksum = new HubChecksum(file);
        var there = await PropertiesAsync(target, cancellationToken);
        if (there is not null && checksum.IsIn(there.Metadata))
        {
            progress?.Report(file.Size);
            return false;
        }
        var blob = new ResumableBlob(target, there?.ETag, checksum.Expected, file.Size, hub.Options.BlockSize);
        try
        {
            await blob.ResumeAsync(checksum.Append, cancellationToken);
            progress?.Report(blob.Length);
            await new Download(hub, hub.AddressOf(kind, repo, commit, file.Path), file, blob, checksum, progress).RunAsync(cancellationToken);
            if (checksum.Actual() is var actual && actual != checksum.Expected)
            {
                await blob.DiscardAsync(cancellationToken);
                throw new HubException(HubError.Unavailable,
                    $"{repo}/{file.Path} arrived with the {checksum.Key} {actual}; the Hub says {checksum.Expected}");
            }
            await blob.CommitAsync(new Dictionary<string, string> { [checksum.Key] = checksum.Expected }, cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (ResumableBlob.IsConflict(e))
        {
            if (await PropertiesAsync(target, cancellationToken) is { } now && checksum.IsIn(now.Metadata)) return false;
            throw new HubException(HubError.Unavailable,
                $"{repo}/{file.Path} is being copied to {target.Name} by somebody else as well", e);
        }
    }

    private static async Task<BlobProperties?> PropertiesAsync(BlockBlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.GetPropertiesAsync(cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404 && e.ErrorCode != BlobErrorCode.ContainerNotFound)
        {
            return null;
        }
    }

    /// <summary>
    /// Downloads the missing part of one file: several blocks in parallel, or sequentially from a server without range support.
    /// </summary>
    private sealed class Download(HubClient hub, Uri address, HubFileInfo file, ResumableBlob blob, HubChecksum checksum,
        IProgress<long>? progress)
    {
        private readonly HubFileVersion _version = new(file.Path);
        private readonly List<byte[]> _buffers = [];

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            while (blob.Length < file.Size)
            {
                var blocks = NextBlocks();
                var came = await Task.WhenAll(blocks.Select((block, i) => FetchAsync(block, Start(i), cancellationToken)));
                if (came.All(c => c)) await KeepAsync(blocks, cancellationToken);
                else await FetchWholeAsync(cancellationToken);
            }
        }

        private long Start(int block) => blob.Length + ((long)block * hub.Options.BlockSize);

        private List<ArraySegment<byte>> NextBlocks()
        {
            var blocks = new List<ArraySegment<byte>>();
            while (blocks.Count < hub.Options.BlocksAtOnce && Start(blocks.Count) < file.Size) blocks.Add(Block(blocks.Count));
            return blocks;
        }

        private ArraySegment<byte> Block(int index)
        {
            if (index == _buffers.Count) _buffers.Add(new byte[Math.Min(hub.Options.BlockSize, file.Size)]);
            return new ArraySegment<byte>(_buffers[index], 0, (int)Math.Min(hub.Options.BlockSize, file.Size - Start(index)));
        }

        /// <summary>Fetches a block; after a broken connection, only the missing bytes are requested again.</summary>
        /// <returns>False when the server ignores the range and sends the complete file, which is larger than the block.</returns>
        private Task<bool> FetchAsync(ArraySegment<byte> block, long start, CancellationToken cancellationToken)
        {
            var filled = 0;
            RangeHeaderValue Missing() => new(start + filled, start + block.Count - 1);
            return hub.Transport.GetAsync(address, Missing, async (answer, token) =>
            {
                CheckAnswer(answer);
                if (answer.IsPart(Missing(), out var length)) CheckLength(length);
                else if (block.Count < file.Size) return false;
                else
                {
                    CheckLength(answer.Response.Content.Headers.ContentLength);
                    filled = 0;
                }
                await using var body = await answer.Response.Content.ReadAsStreamAsync(token);
                while (filled < block.Count)
                {
                    var read = await body.ReadAsync(block.AsMemory(filled), token);
                    filled += read > 0 ? read : throw new EndOfStreamException($"the answer ended {block.Count - filled} bytes early");
                }
                return true;
            }, cancellationToken);
        }

        private Task<bool> FetchWholeAsync(CancellationToken cancellationToken) =>
            hub.Transport.GetAsync(address, () => null, async (answer, token) =>
        {
            CheckAnswer(answer);
            CheckLength(answer.Response.Content.Headers.ContentLength);
            await using var body = await answer.Response.Content.ReadAsStreamAsync(token);
            var have = blob.Length;
            for (long position = 0; position < file.Size; answer.GiveMoreTime())
            {
                var block = position < have ? new ArraySegment<byte>(_buffers[0]) : Block(0);
                if (position < have && have - position < block.Count) block = block[..(int)(have - position)];
                await body.ReadExactlyAsync(block, token);
                if (position >= have) await KeepAsync([block], token);
                position += block.Count;
            }
            return true;
        }, cancellationToken);

        private async Task KeepAsync(IReadOnlyList<ArraySegment<byte>> blocks, CancellationToken cancellationToken)
        {
            await blob.StageAsync(blocks, cancellationToken);
            foreach (var block in blocks) checksum.Append(block);
            progress?.Report(blob.Length);
        }

        private void CheckAnswer(HubAnswer answer)
        {
            if (answer.IsBeyondEnd)
                throw new HubException(HubError.Unavailable,
                    $"{address.AbsolutePath} has less than the {file.Size} bytes that the Hub's listing says");
            _version.Check(answer);
        }

        private void CheckLength(long? length)
        {
            if (length is not null && length != file.Size)
                throw new HubException(HubError.Unavailable,
                    $"{address.AbsolutePath} has {length} bytes; the Hub's listing says {file.Size}");
        }
    }
}
