namespace FunctionsPipeline.Datasets;

/// <summary>Coalesces concurrent downloads of the same URL. A download is cancelled only when all its callers have cancelled.</summary>
internal sealed class SharedDownloads(Func<Uri, CancellationToken, Task<byte[]>> download)
{
    private readonly Dictionary<string, Download> _running = new(StringComparer.Ordinal);

    public async Task<byte[]> GetAsync(Uri uri, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // The key omits the fragment, which is never sent to servers.
        var key = uri.GetComponents(UriComponents.HttpRequestUrl, UriFormat.UriEscaped);
        Download running;
        lock (_running)
        {
            if (_running.TryGetValue(key, out var there)) running = there;
            else _running.Add(key, running = Start(uri));
            running.Callers++;
        }
        try
        {
            return await running.Bytes.WaitAsync(cancellationToken);
        }
        finally
        {
            bool isUnwanted;
            lock (_running)
            {
                isUnwanted = --running.Callers == 0;
                if (isUnwanted) _running.Remove(key);
            }
            if (isUnwanted) running.Stop.Cancel();
        }
    }

    private Download Start(Uri uri)
    {
        var stop = new CancellationTokenSource();
        return new Download(Task.Run(() => download(uri, stop.Token), CancellationToken.None), stop);
    }

    private sealed class Download(Task<byte[]> bytes, CancellationTokenSource stop)
    {
        public Task<byte[]> Bytes => bytes;

        public CancellationTokenSource Stop => stop;

        public int Callers { get; set; }
    }
}
