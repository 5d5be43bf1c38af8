using System.Net.Http.Headers;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Seekable stream over HTTP range requests to a file of the Hub, so that a Parquet reader downloads only the footer and the row groups it
/// needs. Caches the most recent parts in memory. If the server ignores ranges, the complete file is downloaded to a temporary file.
/// </summary>
internal sealed class HubFileStream : ReadOnlyStream
{
    private const int FooterSize = 64 * 1024;
    private const int PartSize = 4 * 1024 * 1024;
    private const int PartsKept = 3;

    private readonly HubTransport _transport;
    private readonly Uri _uri;
    private readonly HubFileVersion _version;
    private readonly LinkedList<Part> _parts = new();
    private FileStream? _whole;
    private long _length = -1;

    private HubFileStream(HubTransport transport, Uri uri)
    {
        _transport = transport;
        _uri = uri;
        _version = new HubFileVersion(uri.AbsolutePath);
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
            var start = Position / PartSize * PartSize;
            await FetchAsync(new RangeHeaderValue(start, Math.Min(start + PartSize, _length) - 1), cancellationToken);
        }
        int read;
        if (_whole is not null)
        {
            _whole.Position = Position;
            read = await _whole.ReadAsync(buffer, cancellationToken);
        }
        else
        {
            var part = Find() ?? throw new HubException(HubError.Unavailable, $"{_uri}: the answer does not hold byte {Position}");
            var available = part.Bytes.AsMemory((int)(Position - part.Start));
            read = Math.Min(available.Length, buffer.Length);
            available[..read].CopyTo(buffer);
        }
        Position += read;
        return read;
    }

    // Parquet.Net reads a few bytes synchronously, nearly always from a cached part.
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
            throw new HubException(HubError.Unavailable, $"{_uri.AbsolutePath} changed while it was read: it had {_length} bytes");
        _length = length;
    }

    private Part? Find() => _parts.FirstOrDefault(p => Position >= p.Start && Position < p.Start + p.Bytes.Length);

    private Task<bool> FetchAsync(RangeHeaderValue range, CancellationToken cancellationToken) =>
        _transport.GetAsync(_uri, () => range, async (answer, token) =>
    {
        if (answer.IsBeyondEnd)
        {
            // A suffix range is unsatisfiable only for an empty file.
            Learn(length: 0);
            return true;
        }
        _version.Check(answer);
        var body = answer.Response.Content;
        if (answer.IsPart(range, out var length))
        {
            Learn(length);
            _parts.AddFirst(new Part(body.Headers.ContentRange!.From!.Value, await body.ReadAsByteArrayAsync(token)));
            if (_parts.Count > PartsKept) _parts.RemoveLast();
            return true;
        }
        var file = TemporaryFile.Create();
        try
        {
            await using var content = await body.ReadAsStreamAsync(token);
            var buffer = new byte[PartSize];
            for (int read; (read = await content.ReadAtLeastAsync(buffer, buffer.Length, false, token)) > 0; answer.GiveMoreTime())
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

    private sealed record Part(long Start, byte[] Bytes);
}
