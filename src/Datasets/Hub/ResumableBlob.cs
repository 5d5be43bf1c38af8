using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// A block blob that is written in order and goes on where an earlier writer stopped: blocks that were staged outlive their writer. Their
/// ids name the content's version and their place, so that blocks of other versions are left alone, and the writer, so that no other one
/// can put something else in the place of a block that was verified here.
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

    /// <param name="blob">The blob; what it holds stays until the first commit.</param>
    /// <param name="etag">Of the blob as it is now; null when there is none. Commits fail if somebody else has changed it since.</param>
    /// <param name="version">Names the content: at least 16 characters of a hash.</param>
    /// <param name="size">Bytes of the whole content.</param>
    /// <param name="blockSize">Bytes of each block but the last.</param>
    public ResumableBlob(BlockBlobClient blob, ETag? etag, string version, long size, int blockSize)
    {
        _blob = blob;
        _etag = etag;
        _version = version[..16];
        _size = size;
        _blockSize = blockSize;
    }

    /// <summary>Bytes that are there, from the beginning on.</summary>
    public long Length => Math.Min((long)_blocks.Count * _blockSize, _size);

    /// <summary>Takes over the blocks of an earlier writer as far as there is none missing, and reads them back.</summary>
    /// <exception cref="RequestFailedException">Among others, <see cref="IsConflict"/>.</exception>
    public async Task ResumeAsync(Action<ReadOnlySpan<byte>> read, CancellationToken cancellation)
    {
        var (known, committed) = await KnownBlocksAsync(cancellation);
        while (Length < _size && known.TryGetValue(_blocks.Count, out var block)) _blocks.Add(block);
        if (_blocks.Count == 0) return;
        // What is not committed cannot be read.
        if (!committed.SequenceEqual(_blocks)) await CommitAsync(null, cancellation);
        var options = new BlobDownloadOptions { Conditions = new BlobRequestConditions { IfMatch = _etag } };
        await using var content = (await _blob.DownloadStreamingAsync(options, cancellation)).Value.Content;
        var buffer = new byte[1 << 20];
        for (int count; (count = await content.ReadAsync(buffer, cancellation)) > 0;) read(buffer.AsSpan(0, count));
    }

    /// <summary>Stages the blocks that come next; the last one of all may be shorter than the others.</summary>
    public async Task StageAsync(IReadOnlyList<ArraySegment<byte>> blocks, CancellationToken cancellation)
    {
        var ids = blocks.Select((_, i) => NewId(_blocks.Count + i)).ToList();
        await Task.WhenAll(blocks.Zip(ids, (block, id) =>
            _blob.StageBlockAsync(id, new MemoryStream(block.Array!, block.Offset, block.Count), cancellationToken: cancellation)));
        _blocks.AddRange(ids);
    }

    /// <summary>Makes the blocks so far the content of the blob.</summary>
    /// <exception cref="RequestFailedException">Among others, <see cref="IsConflict"/>.</exception>
    public async Task CommitAsync(IDictionary<string, string>? metadata, CancellationToken cancellation)
    {
        var info = await _blob.CommitBlockListAsync(_blocks,
            new CommitBlockListOptions { Metadata = metadata, Conditions = Unchanged() }, cancellation);
        _etag = info.Value.ETag;
    }

    /// <summary>Removes the blob with all its blocks.</summary>
    public async Task DiscardAsync(CancellationToken cancellation)
    {
        try
        {
            // Deleting a blob does not reach blocks that are not committed; replacing it does.
            _blocks.Clear();
            await CommitAsync(null, cancellation);
            await _blob.DeleteAsync(conditions: Unchanged(), cancellationToken: cancellation);
        }
        catch (RequestFailedException e) when (IsConflict(e))
        {
            // Somebody else has replaced it already.
        }
    }

    /// <summary>Whether a failure means that somebody else has written the blob in the meantime.</summary>
    public static bool IsConflict(RequestFailedException failure) =>
        failure.Status is 404 or 409 or 412 || failure.ErrorCode == BlobErrorCode.InvalidBlockList;

    private async Task<(Dictionary<int, string> Known, List<string> Committed)> KnownBlocksAsync(CancellationToken cancellation)
    {
        BlockList list;
        try
        {
            list = await _blob.GetBlockListAsync(BlockListTypes.All, cancellationToken: cancellation);
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

    // All ids of a blob must be of the same length.
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
