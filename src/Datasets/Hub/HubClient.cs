using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Datasets.Hub;

/// <summary>HTTP client of the Hugging Face Hub: repository metadata, file listings and downloads.</summary>
public sealed partial class HubClient
{
    /// <summary>Branch with the Parquet form of a dataset.</summary>
    public const string ParquetRevision = "refs/convert/parquet";

    private readonly Uri _endpoint;

    /// <param name="http">Created by <see cref="CreateHttpClient"/>; must not follow redirects, as this class does.</param>
    /// <param name="options">Endpoint, token, time limits.</param>
    /// <param name="time">Clock; the system's when left out.</param>
    /// <param name="random">Source of the jitter of retry delays.</param>
    public HubClient(HttpClient http, HubOptions options, TimeProvider? time = null, Random? random = null)
    {
        Options = options;
        Transport = new HubTransport(http, options, time ?? TimeProvider.System, random ?? Random.Shared);
        // Uri resolution replaces the last path segment of a base URL that has no trailing slash, which would break mirrors below a path.
        _endpoint = new Uri(options.Endpoint.AbsoluteUri.TrimEnd('/') + "/");
    }

    /// <summary>User-Agent of all requests.</summary>
    public static string UserAgent { get; } = $"FunctionsPipeline/{Assembly.GetExecutingAssembly().GetName().Version!.ToString(2)}";

    internal HubOptions Options { get; }

    internal HubTransport Transport { get; }

    /// <summary>
    /// Creates an HTTP client with the User-Agent set, without automatic redirects and without a timeout, as the options set the time
    /// limits.
    /// </summary>
    public static HttpClient CreateHttpClient()
    {
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(UserAgent);
        // Sizes, ranges and hashes refer to the uncompressed files, so no content encoding is accepted.
        http.DefaultRequestHeaders.AcceptEncoding.ParseAdd("identity");
        return http;
    }

    /// <summary>Gets a repository's metadata and the commit that a revision (branch, tag or commit) resolves to.</summary>
    /// <exception cref="HubException">The repository or revision does not exist or is not accessible, or the repository is
    /// disabled.</exception>
    public async Task<HubRepositoryInfo> GetInfoAsync(HubRepositoryKind kind, string repo, string revision,
        CancellationToken cancellationToken = default)
    {
        var url = Url($"api/{Segment(kind)}/{Path(repo)}/revision/{Uri.EscapeDataString(revision)}");
        var info = await GetJsonAsync<RepositoryInfo>(url, cancellationToken);
        if (info.Disabled) throw HubException.Disabled(url.AbsolutePath);
        // The Hub sends false, or the approval mode of the terms: "auto" or "manual".
        var isGated = info.Gated.ValueKind is JsonValueKind.True or JsonValueKind.String;
        return new HubRepositoryInfo(info.Sha, info.Private, isGated, info.LastModified);
    }

    /// <summary>Resolves a branch, tag or commit of a repository to a commit.</summary>
    /// <exception cref="HubException">As <see cref="GetInfoAsync"/>.</exception>
    public async Task<string> GetCommitAsync(HubRepositoryKind kind, string repo, string revision,
        CancellationToken cancellationToken = default) =>
        (await GetInfoAsync(kind, repo, revision, cancellationToken)).Commit;

    /// <summary>Lists all files of a repository at a commit.</summary>
    public async Task<IReadOnlyList<HubFileInfo>> ListFilesAsync(HubRepositoryKind kind, string repo, string commit,
        CancellationToken cancellationToken = default)
    {
        var files = new List<HubFileInfo>();
        Uri? page = Url($"api/{Segment(kind)}/{Path(repo)}/tree/{Uri.EscapeDataString(commit)}?recursive=true");
        while (page is not null)
        {
            (var entries, page) = await Transport.GetAsync(page, () => null,
                async (response, token) => (await ReadJsonAsync<TreeEntry[]>(response, token), NextPage(response)), cancellationToken);
            files.AddRange(entries.Where(e => e.Type == "file")
                .Select(e => new HubFileInfo(e.Path, e.Lfs?.Size ?? e.Size, e.Lfs?.Oid, e.Oid)));
        }
        return files;
    }

    /// <summary>
    /// Lists the Parquet files of a dataset's head, in order. The Hub converts at most 5 GB of a split; the name of a split that is
    /// partly converted starts with <c>partial-</c>.
    /// </summary>
    public async Task<IReadOnlyList<HubParquetFile>> ListParquetAsync(string repo, CancellationToken cancellationToken = default)
    {
        var listing = await GetJsonAsync<Dictionary<string, Dictionary<string, string[]>>>(
            Url($"api/datasets/{Path(repo)}/parquet"), cancellationToken);
        return [.. from config in listing
                   from split in config.Value
                   from url in split.Value
                   select new HubParquetFile(config.Key, split.Key, ParquetPath(url))];
    }

    /// <summary>Opens a file as a seekable stream, fetched by range requests, each with its own retries.</summary>
    public Task<Stream> OpenAsync(HubRepositoryKind kind, string repo, string commit, string path,
        CancellationToken cancellationToken = default) =>
        HubFileStream.OpenAsync(Transport, UrlOf(kind, repo, commit, path), cancellationToken);

    /// <summary>Builds the <c>resolve</c> URL of a file, which may redirect to a CDN.</summary>
    internal Uri UrlOf(HubRepositoryKind kind, string repo, string commit, string path) => Url(
        $"{(kind == HubRepositoryKind.Dataset ? "datasets/" : "")}{Path(repo)}/resolve/{Uri.EscapeDataString(commit)}/{Path(path)}");

    private Uri Url(string path) => new(_endpoint, path);

    private Task<T> GetJsonAsync<T>(Uri uri, CancellationToken cancellationToken) =>
        Transport.GetAsync(uri, () => null, ReadJsonAsync<T>, cancellationToken);

    private static async Task<T> ReadJsonAsync<T>(HubResponse response, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Message.Content.ReadFromJsonAsync<T>(cancellationToken) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new HubException(HubErrorKind.Unavailable,
                $"{response.Message.RequestMessage?.RequestUri} answered something else than expected: {e.Message}", e);
        }
    }

    // A mirror may return links to the Hub itself; only their path is used, so that paging stays on the mirror.
    private Uri? NextPage(HubResponse response)
    {
        if (!response.Message.Headers.TryGetValues("Link", out var links)) return null;
        var next = NextLink().Match(string.Join(", ", links));
        return next.Success ? Url(next.Groups["path"].Value) : null;
    }

    private static string ParquetPath(string url)
    {
        var found = InParquetRevision().Match(url);
        return found.Success
            ? Uri.UnescapeDataString(found.Groups["path"].Value)
            : throw new HubException(HubErrorKind.Unavailable, $"the Hub lists {url}, which is not in {ParquetRevision}");
    }

    private static string Segment(HubRepositoryKind kind) => kind == HubRepositoryKind.Dataset ? "datasets" : "models";

    private static string Path(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    [GeneratedRegex("<[^>]*?/(?<path>api/[^>]*)>[^<]*?rel=\"?next\"?")]
    private static partial Regex NextLink();

    [GeneratedRegex("/resolve/refs(%2F|/)convert(%2F|/)parquet/(?<path>.+)$", RegexOptions.IgnoreCase)]
    private static partial Regex InParquetRevision();

    private sealed record RepositoryInfo([property: JsonRequired] string Sha, bool Private, JsonElement Gated, bool Disabled,
        DateTimeOffset? LastModified);

    private sealed record TreeEntry([property: JsonRequired] string Type, [property: JsonRequired] string Path,
        [property: JsonRequired] string Oid, long Size, LargeFile? Lfs);

    private sealed record LargeFile(string Oid, long Size);
}

/// <summary>Settings of the connection to the Hub.</summary>
public sealed record HubOptions
{
    /// <summary>
    /// Base URL of the Hub, setting <c>HF_ENDPOINT</c>; a mirror's URL may have a path, as in <c>https://mirror.example/hf</c>.
    /// </summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Access token, setting <c>HF_TOKEN</c>; only sent to <see cref="Endpoint"/>'s scheme, host and port.</summary>
    public string? Token { get; init; }

    /// <summary>Maximum number of attempts per request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>
    /// Time limit of one attempt, response body included; applies to each block when a server without range support sends a complete file.
    /// </summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time limit of one request over all its attempts and pauses, pauses for the rate limit included.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Maximum pause after the first failed attempt; doubles up to <see cref="MaxDelay"/>. The pause is drawn uniformly below that (full
    /// jitter), to spread the retries of requests that failed together. A longer <c>Retry-After</c> is honoured.
    /// </summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>
    /// Bytes fetched by one request and stored as one block. A copy's buffers are large objects, which stay until the oldest generation is
    /// collected: with blocks of 8 MiB they were a sixth of the memory of an ingestion.
    /// </summary>
    public int BlockSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>Number of blocks of one file that are fetched concurrently and held in memory.</summary>
    public int BlocksAtOnce { get; init; } = 4;
}

/// <summary>Kinds of Hub repositories.</summary>
public enum HubRepositoryKind
{
    Dataset,
    Model,
}

/// <summary>A file of a repository.</summary>
/// <param name="Path">Path in the repository, with forward slashes.</param>
/// <param name="Size">Size in bytes.</param>
/// <param name="Sha256">SHA-256 of the content, lower-case hexadecimal; null unless the file is in large storage (Git LFS).</param>
/// <param name="GitOid">Git blob id (SHA-1) of the file, or of its pointer when the file is in large storage.</param>
public sealed record HubFileInfo(string Path, long Size, string? Sha256, string GitOid);

/// <summary>Metadata of a repository at a revision.</summary>
/// <param name="Commit">Commit that the revision currently resolves to.</param>
/// <param name="Private">True when reading the repository requires a token.</param>
/// <param name="Gated">True when the repository's terms must be accepted before files can be read.</param>
public sealed record HubRepositoryInfo(string Commit, bool Private, bool Gated, DateTimeOffset? LastModified);

/// <summary>A Parquet file of a dataset in the Hub's converted form.</summary>
/// <param name="Path">Path in the revision <see cref="HubClient.ParquetRevision"/>.</param>
public sealed record HubParquetFile(string Config, string Split, string Path);
