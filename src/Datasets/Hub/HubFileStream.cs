using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets.Hub;

/// <summary>
/// Seekable stream over HTTP range requests to a file of the Hub, so that a Parquet reader downloads only the footer and the row groups it
/// needs. Caches the most recent ranges in memory. If the server ignores ranges, the complete file is downloaded to a temporary file.
/// </summary>
internal sealed class HubFileStream : ReadOnlyStream
{
    private const int FooterSize = 64 * 1024;
    private const int RangeSize = 4 * 1024 * 1024;
    private const int RangesKept = 3;

    private readonly HubTransport _transport;
    private readonly Uri _uri;
    private readonly ETagCheck _version;
    private readonly LinkedList<CachedRange> _ranges = new();
    private FileStream? _whole;
    private long _length = -1;

    private HubFileStream(HubTransport transport, Uri uri)
    {
        _transport = transport;
        _uri = uri;
        _version = new ETagCheck(uri.AbsolutePath);
    }

    public override long Length => _length;

    public static async Task<Stream> OpenAsync(HubTransport transport, Uri uri, CancellationToken cancellationToken)
    {
        var stream = new HubFileStream(transport, uri);
        await stream.FetchAsync(new RangeHeaderValue(null, FooterSize), cancellationToken);
        return stream;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= _length || buffer.IsEmpty) return 0;
        if (Find() is null && _whole is null)
        {
            var start = Position / RangeSize * RangeSize;
            await FetchAsync(new RangeHeaderValue(start, Math.Min(start + RangeSize, _length) - 1), cancellationToken);
        }
        int read;
        if (_whole is not null)
        {
            _whole.Position = Position;
            read = await _whole.ReadAsync(buffer, cancellationToken);
        }
        else
        {
            var cached = Find() ?? throw new HubException(HubErrorKind.Unavailable, $"{_uri}: the response does not hold byte {Position}");
            var available = cached.Bytes.AsMemory((int)(Position - cached.Start));
            read = Math.Min(available.Length, buffer.Length);
            available[..read].CopyTo(buffer);
        }
        Position += read;
        return read;
    }

    // Parquet.Net reads a few bytes synchronously, nearly always from a cached range.
    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _whole?.Dispose();
        base.Dispose(disposing);
    }

    private void Learn(long length)
    {
        if (_length >= 0 && length != _length)
            throw new HubException(HubErrorKind.Unavailable, $"{_uri.AbsolutePath} changed while it was read: it had {_length} bytes");
        _length = length;
    }

    private CachedRange? Find() => _ranges.FirstOrDefault(range => Position >= range.Start && Position < range.Start + range.Bytes.Length);

    private Task<bool> FetchAsync(RangeHeaderValue range, CancellationToken cancellationToken) =>
        _transport.GetAsync(_uri, () => range, async (response, token) =>
    {
        if (response.IsBeyondEnd)
        {
            // A suffix range is unsatisfiable only for an empty file.
            Learn(length: 0);
            return true;
        }
        _version.Check(response);
        var body = response.Message.Content;
        if (response.IsRange(range, out var length))
        {
            Learn(length);
            _ranges.AddFirst(new CachedRange(body.Headers.ContentRange!.From!.Value, await body.ReadAsByteArrayAsync(token)));
            if (_ranges.Count > RangesKept) _ranges.RemoveLast();
            return true;
        }
        var file = TemporaryFile.Create();
        try
        {
            await using var content = await body.ReadAsStreamAsync(token);
            var buffer = new byte[RangeSize];
            for (int read; (read = await content.ReadAtLeastAsync(buffer, buffer.Length, false, token)) > 0; response.GiveMoreTime())
                await file.WriteAsync(buffer.AsMemory(0, read), token);
            Learn(file.Length);
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
        _whole = file;
        return true;
    }, cancellationToken);

    private sealed record CachedRange(long Start, byte[] Bytes);
}
