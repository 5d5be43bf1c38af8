using System.Buffers.Text;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace FunctionsPipeline.Datasets.Hub;

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
        using var checksum = new FileChecksum(file);
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
            await new Download(hub, hub.UrlOf(kind, repo, commit, file.Path), file, blob, checksum, progress).RunAsync(cancellationToken);
            if (checksum.Actual() is var actual && actual != checksum.Expected)
            {
                await blob.DiscardAsync(cancellationToken);
                throw new HubException(HubErrorKind.Unavailable,
                    $"{repo}/{file.Path} arrived with the {checksum.Key} {actual}; the Hub says {checksum.Expected}");
            }
            await blob.CommitAsync(new Dictionary<string, string> { [checksum.Key] = checksum.Expected }, cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (ResumableBlob.IsConflict(e))
        {
            if (await PropertiesAsync(target, cancellationToken) is { } now && checksum.IsIn(now.Metadata)) return false;
            throw new HubException(HubErrorKind.Unavailable,
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
    /// Downloads the missing blocks of one file: several blocks in parallel, or sequentially from a server without range support.
    /// </summary>
    private sealed class Download(HubClient hub, Uri url, HubFileInfo file, ResumableBlob blob, FileChecksum checksum,
        IProgress<long>? progress)
    {
        private readonly ETagCheck _version = new(file.Path);
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
            return hub.Transport.GetAsync(url, Missing, async (response, token) =>
            {
                CheckResponse(response);
                if (response.IsRange(Missing(), out var length)) CheckLength(length);
                else if (block.Count < file.Size) return false;
                else
                {
                    CheckLength(response.Message.Content.Headers.ContentLength);
                    filled = 0;
                }
                await using var body = await response.Message.Content.ReadAsStreamAsync(token);
                while (filled < block.Count)
                {
                    var read = await body.ReadAsync(block.AsMemory(filled), token);
                    filled += read > 0 ? read : throw new EndOfStreamException($"the answer ended {block.Count - filled} bytes early");
                }
                return true;
            }, cancellationToken);
        }

        /// <summary>
        /// Reads the complete file block by block from a server that ignores ranges; blocks that are stored already are read only to skip
        /// them.
        /// </summary>
        private Task<bool> FetchWholeAsync(CancellationToken cancellationToken) =>
            hub.Transport.GetAsync(url, () => null, async (response, token) =>
        {
            CheckResponse(response);
            CheckLength(response.Message.Content.Headers.ContentLength);
            await using var body = await response.Message.Content.ReadAsStreamAsync(token);
            var have = blob.Length;
            for (long position = 0; position < file.Size; response.GiveMoreTime())
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

        private void CheckResponse(HubResponse response)
        {
            if (response.IsBeyondEnd)
            {
                throw new HubException(HubErrorKind.Unavailable,
                    $"{url.AbsolutePath} has less than the {file.Size} bytes that the Hub's listing says");
            }
            _version.Check(response);
        }

        private void CheckLength(long? length)
        {
            if (length is not null && length != file.Size)
            {
                throw new HubException(HubErrorKind.Unavailable,
                    $"{url.AbsolutePath} has {length} bytes; the Hub's listing says {file.Size}");
            }
        }
    }
}

/// <summary>
/// Checksum of a file as listed by the Hub: the SHA-256 of a file in large storage (Git LFS), the git blob id of any other file, which is
/// the SHA-1 of <c>blob {size}\0</c> followed by the content.
/// </summary>
internal sealed class FileChecksum : IDisposable
{
    private readonly IncrementalHash _hash;

    public FileChecksum(HubFileInfo file)
    {
        (Key, Expected) = file.Sha256 is { } sha256 ? ("sha256", sha256) : ("gitoid", file.GitOid);
        _hash = IncrementalHash.CreateHash(file.Sha256 is null ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256);
        if (file.Sha256 is null) _hash.AppendData(Encoding.ASCII.GetBytes($"blob {file.Size}\0"));
    }

    /// <summary>Key in a blob's metadata under which the verified checksum is stored.</summary>
    public string Key { get; }

    /// <summary>The Hub's checksum, lower-case hexadecimal.</summary>
    public string Expected { get; }

    /// <summary>True when a blob's metadata marks the blob as the complete, verified file.</summary>
    public bool IsIn(IDictionary<string, string> metadata) => metadata.TryGetValue(Key, out var found) && found == Expected;

    public void Append(ReadOnlySpan<byte> content) => _hash.AppendData(content);

    /// <summary>Computes the checksum of the appended content, lower-case hexadecimal.</summary>
    public string Actual() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    public void Dispose() => _hash.Dispose();
}

/// <summary>
/// A block blob that is written in order and resumes where an earlier writer stopped, from the blocks that it staged. Block ids encode the
/// content's version and the block's index, so that blocks of other versions are ignored, and the writer, so that no other writer can
/// overwrite a block verified by this one.
/// </summary>
internal sealed class ResumableBlob
{
    private readonly BlockBlobClient _blob;
    private readonly string _version;
    private readonly long _size;
    private readonly int _blockSize;
    private readonly string _writer = Guid.NewGuid().ToString("N")[..8];
    private readonly List<string> _blocks = [];
    private ETag? _etag;

    /// <param name="blob">The blob; its content stays until the first commit.</param>
    /// <param name="etag">Current ETag of the blob; null when the blob does not exist. Commits fail when another writer has changed the
    /// blob since.</param>
    /// <param name="version">Version of the content: at least 16 characters of a hash.</param>
    /// <param name="size">Size of the complete content in bytes.</param>
    /// <param name="blockSize">Size of each block but the last, in bytes.</param>
    public ResumableBlob(BlockBlobClient blob, ETag? etag, string version, long size, int blockSize)
    {
        _blob = blob;
        _etag = etag;
        _version = version[..16];
        _size = size;
        _blockSize = blockSize;
    }

    /// <summary>Number of bytes stored, contiguous from the beginning.</summary>
    public long Length => Math.Min((long)_blocks.Count * _blockSize, _size);

    /// <summary>Adopts the blocks of an earlier writer up to the first gap and reads their content back.</summary>
    /// <exception cref="RequestFailedException">Storage failed; <see cref="IsConflict"/> detects a concurrent writer.</exception>
    public async Task ResumeAsync(Action<ReadOnlySpan<byte>> read, CancellationToken cancellationToken)
    {
        var (known, committed) = await KnownBlocksAsync(cancellationToken);
        while (Length < _size && known.TryGetValue(_blocks.Count, out var block)) _blocks.Add(block);
        if (_blocks.Count == 0) return;
        // Azure Storage can only read committed blocks.
        if (!committed.SequenceEqual(_blocks)) await CommitAsync(null, cancellationToken);
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = _etag } };
        await using var content = (await _blob.DownloadStreamingAsync(options, cancellationToken)).Value.Content;
        var buffer = new byte[1 << 20];
        for (int count; (count = await content.ReadAsync(buffer, cancellationToken)) > 0;) read(buffer.AsSpan(0, count));
    }

    /// <summary>Stages the next blocks; only the final block of the blob may be shorter.</summary>
    public async Task StageAsync(IReadOnlyList<ArraySegment<byte>> blocks, CancellationToken cancellationToken)
    {
        var ids = blocks.Select((_, i) => NewId(_blocks.Count + i)).ToList();
        await Task.WhenAll(blocks.Zip(ids, (block, id) =>
            _blob.StageBlockAsync(id, new MemoryStream(block.Array!, block.Offset, block.Count), cancellationToken: cancellationToken)));
        _blocks.AddRange(ids);
    }

    /// <summary>Commits the blocks staged so far as the content of the blob.</summary>
    /// <exception cref="RequestFailedException">Storage failed; <see cref="IsConflict"/> detects a concurrent writer.</exception>
    public async Task CommitAsync(IDictionary<string, string>? metadata, CancellationToken cancellationToken)
    {
        var info = await _blob.CommitBlockListAsync(_blocks,
            new CommitBlockListOptions { Metadata = metadata, Conditions = Unchanged() }, cancellationToken);
        _etag = info.Value.ETag;
    }

    /// <summary>Deletes the blob with all its blocks.</summary>
    public async Task DiscardAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Deleting a blob keeps its uncommitted blocks; committing an empty block list discards them.
            _blocks.Clear();
            await CommitAsync(null, cancellationToken);
            await _blob.DeleteAsync(conditions: Unchanged(), cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (IsConflict(e))
        {
            // Another writer has already replaced the blob.
        }
    }

    /// <summary>True when a failure means that another writer has changed the blob meanwhile.</summary>
    public static bool IsConflict(RequestFailedException failure) =>
        failure.Status is 404 or 409 or 412 || failure.ErrorCode == BlobErrorCode.InvalidBlockList;

    private async Task<(Dictionary<int, string> Known, List<string> Committed)> KnownBlocksAsync(CancellationToken cancellationToken)
    {
        BlockList list;
        try
        {
            list = await _blob.GetBlockListAsync(BlockListTypes.All, cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return ([], []);
        }
        // Of several blocks for the same place, a committed one wins, which can be read back without another commit.
        var committed = (list.CommittedBlocks ?? []).ToList();
        var known = new Dictionary<int, string>();
        foreach (var block in committed.Concat(list.UncommittedBlocks ?? []))
        {
            if (PlaceOf(block.Name) is { } place && block.SizeLong == Math.Min(_blockSize, _size - ((long)place * _blockSize)))
                known.TryAdd(place, block.Name);
        }
        return (known, [.. committed.Select(b => b.Name)]);
    }

    private BlobRequestConditions Unchanged() =>
        _etag is null ? new BlobRequestConditions { IfNoneMatch = ETag.All } : new BlobRequestConditions { IfMatch = _etag };

    // Azure Storage requires all block ids of a blob to have the same length.
    private string NewId(int place) => Convert.ToBase64String(Encoding.ASCII.GetBytes($"{Prefix}{place:x8}-{_writer}"));

    private string Prefix => $"{_version}-{_blockSize:x8}-";

    private int? PlaceOf(string id)
    {
        if (!Base64.IsValid(id)) return null;
        var text = Encoding.ASCII.GetString(Convert.FromBase64String(id));
        return text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length >= Prefix.Length + 8
            && int.TryParse(text.AsSpan(Prefix.Length, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var place)
            ? place
            : null;
    }
}
