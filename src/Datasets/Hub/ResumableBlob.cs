using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace FunctionsPipeline.Datasets;

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
        var committed = (list.CommittedBlocks ?? []).ToList();
        var known = new Dictionary<int, string>();
        foreach (var block in committed.Concat(list.UncommittedBlocks ?? []))
            if (PlaceOf(block.Name) is { } place && block.SizeLong == Math.Min(_blockSize, _size - ((long)place * _blockSize)))
                known.TryAdd(place, block.Name);
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
