using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Datasets;

/// <summary>The two kinds of repository that are used.</summary>
public enum HubRepositoryKind
{
    Dataset,
    Model,
}

/// <summary>A file of a repository.</summary>
/// <param name="Path">With forward slashes.</param>
/// <param name="Sha256">Lower-case hexadecimal, known for large files only.</param>
public sealed record HubFileInfo(string Path, long Size, string? Sha256)
{
    public string ContentId => Sha256!;
}

/// <summary>A Parquet file of a dataset in the Hub's converted form.</summary>
/// <param name="Path">In the revision <see cref="HubClient.ParquetRevision"/>.</param>
public sealed record HubParquetFile(string Config, string Split, string Path);

/// <summary>The Hugging Face Hub over HTTP: what repositories there are, and their files.</summary>
public sealed class HubClient
{
    /// <summary>The branch in which the Hub keeps a dataset's Parquet form.</summary>
    public const string ParquetRevision = "refs/convert/parquet";

    private readonly HubTransport _transport;
    private readonly Uri _endpoint;

    /// <param name="http">From <see cref="CreateHttpClient"/>: redirects must be left to this class.</param>
    /// <param name="options">Address, token, time limits.</param>
    /// <param name="time">The system's when left out.</param>
    public HubClient(HttpClient http, HubOptions options, TimeProvider? time = null)
    {
        _transport = new HubTransport(http, options, time ?? TimeProvider.System);
        _endpoint = options.Endpoint;
    }

    /// <summary>What requests are sent as.</summary>
    public static string UserAgent { get; } = $"FunctionsPipeline/{Assembly.GetExecutingAssembly().GetName().Version!.ToString(2)}";

    /// <summary>A client that says who it is and does not follow redirects by itself; its time limits are the options'.</summary>
    public static HttpClient CreateHttpClient()
    {
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(UserAgent);
        return http;
    }

    /// <summary>The commit that a branch, tag or commit of a repository stands for.</summary>
    public async Task<string> GetCommitAsync(HubRepositoryKind kind, string repo, string revision, CancellationToken cancellation = default)
    {
        var info = await GetJsonAsync<RepositoryInfo>(
            new Uri(_endpoint, $"/api/{Segment(kind)}/{Path(repo)}/revision/{Uri.EscapeDataString(revision)}"), cancellation);
        return info.Sha;
    }

    /// <summary>All files of a repository at a commit.</summary>
    public async Task<IReadOnlyList<HubFileInfo>> ListFilesAsync(HubRepositoryKind kind, string repo, string commit,
        CancellationToken cancellation = default)
    {
        var files = new List<HubFileInfo>();
        Uri? page = new(_endpoint, $"/api/{Segment(kind)}/{Path(repo)}/tree/{Uri.EscapeDataString(commit)}?recursive=true");
        while (page is not null)
        {
            var current = page;
            page = await _transport.GetAsync(current, null, async (response, token) =>
            {
                var entries = await ReadJsonAsync<TreeEntry[]>(response, token);
                files.AddRange(entries.Where(e => e.Type == "file")
                    .Select(e => new HubFileInfo(e.Path, e.Lfs?.Size ?? e.Size, e.Lfs?.Oid)));
                return NextPage(response, current);
            }, cancellation);
        }
        return files;
    }

    /// <summary>
    /// The Parquet files of a dataset's head, in their order. Parts of a dataset beyond 5 GB are not in the Hub's Parquet form.
    /// </summary>
    public async Task<IReadOnlyList<HubParquetFile>> ListParquetAsync(string repo, CancellationToken cancellation = default)
    {
        const string Before = "/resolve/refs%2Fconvert%2Fparquet/";
        var address = new Uri(_endpoint, $"/api/datasets/{Path(repo)}/parquet");
        var listing = await GetJsonAsync<Dictionary<string, Dictionary<string, string[]>>>(address, cancellation);
        var files = new List<HubParquetFile>();
        foreach (var (config, splits) in listing)
            foreach (var (split, urls) in splits)
                foreach (var url in urls)
                {
                    var at = url.IndexOf(Before, StringComparison.OrdinalIgnoreCase);
                    if (at < 0) throw new HubException(HubError.Unavailable, $"the Hub lists {url}, which is not in {ParquetRevision}");
                    files.Add(new HubParquetFile(config, split, Uri.UnescapeDataString(url[(at + Before.Length)..])));
                }
        return files;
    }

    /// <summary>Opens a file for reading from any place; what is read is fetched in parts, each with its own retries.</summary>
    public Task<Stream> OpenAsync(HubRepositoryKind kind, string repo, string commit, string path, CancellationToken cancellation = default)
    {
        var prefix = kind == HubRepositoryKind.Dataset ? "/datasets" : "";
        return HubFileStream.OpenAsync(_transport,
            new Uri(_endpoint, $"{prefix}/{Path(repo)}/resolve/{Uri.EscapeDataString(commit)}/{Path(path)}"), cancellation);
    }

    private Task<T> GetJsonAsync<T>(Uri uri, CancellationToken cancellation) =>
        _transport.GetAsync(uri, null, ReadJsonAsync<T>, cancellation);

    private static async Task<T> ReadJsonAsync<T>(HttpResponseMessage response, CancellationToken cancellation)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync<T>(cancellation) ?? throw new System.Text.Json.JsonException("null");
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new HubException(HubError.Unavailable,
                $"{response.RequestMessage?.RequestUri} answered something else than expected: {e.Message}", e);
        }
    }

    private static Uri? NextPage(HttpResponseMessage response, Uri current)
    {
        if (!response.Headers.TryGetValues("Link", out var links)) return null;
        var next = links.SelectMany(l => l.Split(',')).FirstOrDefault(l => l.Contains("rel=\"next\"", StringComparison.Ordinal));
        return next is null ? null : new Uri(current, next[(next.IndexOf('<') + 1)..next.IndexOf('>')]);
    }

    private static string Segment(HubRepositoryKind kind) => kind == HubRepositoryKind.Dataset ? "datasets" : "models";

    private static string Path(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private sealed record RepositoryInfo([property: JsonRequired] string Sha);

    private sealed record TreeEntry([property: JsonRequired] string Type, [property: JsonRequired] string Path, long Size, LargeFile? Lfs);

    private sealed record LargeFile(string Oid, long Size);
}
