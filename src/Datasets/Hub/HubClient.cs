using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Datasets;

/// <summary>The two kinds of repository that are used.</summary>
public enum HubRepositoryKind
{
    Dataset,
    Model,
}

/// <summary>A file of a repository.</summary>
/// <param name="Path">With forward slashes.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Lower-case hexadecimal, known for files in large storage only.</param>
/// <param name="GitOid">Id of what git keeps, the SHA-1 of a git blob: the file itself, or of large storage a pointer to it.</param>
public sealed record HubFileInfo(string Path, long Size, string? Sha256, string GitOid);

/// <summary>What the Hub says about a repository at a revision.</summary>
/// <param name="Commit">What the revision stands for now.</param>
/// <param name="Private">Whether a token is needed to see it.</param>
/// <param name="Gated">Whether its terms must be accepted before files can be read.</param>
public sealed record HubRepositoryInfo(string Commit, bool Private, bool Gated, DateTimeOffset? LastModified);

/// <summary>A Parquet file of a dataset in the Hub's converted form.</summary>
/// <param name="Path">In the revision <see cref="HubClient.ParquetRevision"/>.</param>
public sealed record HubParquetFile(string Config, string Split, string Path);

/// <summary>The Hugging Face Hub over HTTP: what repositories there are, and their files.</summary>
public sealed partial class HubClient
{
    /// <summary>The branch in which the Hub keeps a dataset's Parquet form.</summary>
    public const string ParquetRevision = "refs/convert/parquet";

    private readonly Uri _endpoint;

    /// <param name="http">From <see cref="CreateHttpClient"/>: redirects must be left to this class.</param>
    /// <param name="options">Address, token, time limits.</param>
    /// <param name="time">The system's when left out.</param>
    /// <param name="random">Draws the pauses between tries.</param>
    public HubClient(HttpClient http, HubOptions options, TimeProvider? time = null, Random? random = null)
    {
        Options = options;
        Transport = new HubTransport(http, options, time ?? TimeProvider.System, random ?? Random.Shared);
        // Without a slash at its end, the last segment of a mirror's path would be replaced rather than extended.
        _endpoint = new Uri(options.Endpoint.AbsoluteUri.TrimEnd('/') + "/");
    }

    /// <summary>What requests are sent as.</summary>
    public static string UserAgent { get; } = $"FunctionsPipeline/{Assembly.GetExecutingAssembly().GetName().Version!.ToString(2)}";

    internal HubOptions Options { get; }

    internal HubTransport Transport { get; }

    /// <summary>A client that says who it is and does not follow redirects by itself; its time limits are the options'.</summary>
    public static HttpClient CreateHttpClient()
    {
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.UserAgent.ParseAdd(UserAgent);
        // Sizes, ranges and hashes are those of the files, not of a compressed form.
        http.DefaultRequestHeaders.AcceptEncoding.ParseAdd("identity");
        return http;
    }

    /// <summary>What a repository is, and the commit that a branch, tag or commit of it stands for.</summary>
    /// <exception cref="HubException">There is no such repository or revision that can be seen, or it is disabled.</exception>
    public async Task<HubRepositoryInfo> GetInfoAsync(HubRepositoryKind kind, string repo, string revision,
        CancellationToken cancellation = default)
    {
        var address = Address($"api/{Segment(kind)}/{Path(repo)}/revision/{Uri.EscapeDataString(revision)}");
        var info = await GetJsonAsync<RepositoryInfo>(address, cancellation);
        if (info.Disabled) throw HubException.Disabled(address.AbsolutePath);
        // Either false, or in what way its terms are accepted: "auto" or "manual".
        var isGated = info.Gated.ValueKind is JsonValueKind.True or JsonValueKind.String;
        return new HubRepositoryInfo(info.Sha, info.Private, isGated, info.LastModified);
    }

    /// <summary>The commit that a branch, tag or commit of a repository stands for.</summary>
    /// <exception cref="HubException">As <see cref="GetInfoAsync"/>.</exception>
    public async Task<string> GetCommitAsync(HubRepositoryKind kind, string repo, string revision,
        CancellationToken cancellation = default) =>
        (await GetInfoAsync(kind, repo, revision, cancellation)).Commit;

    /// <summary>All files of a repository at a commit.</summary>
    public async Task<IReadOnlyList<HubFileInfo>> ListFilesAsync(HubRepositoryKind kind, string repo, string commit,
        CancellationToken cancellation = default)
    {
        var files = new List<HubFileInfo>();
        Uri? page = Address($"api/{Segment(kind)}/{Path(repo)}/tree/{Uri.EscapeDataString(commit)}?recursive=true");
        while (page is not null)
        {
            (var entries, page) = await Transport.GetAsync(page, () => null,
                async (answer, token) => (await ReadJsonAsync<TreeEntry[]>(answer, token), NextPage(answer)), cancellation);
            files.AddRange(entries.Where(e => e.Type == "file")
                .Select(e => new HubFileInfo(e.Path, e.Lfs?.Size ?? e.Size, e.Lfs?.Oid, e.Oid)));
        }
        return files;
    }

    /// <summary>
    /// The Parquet files of a dataset's head, in their order. Parts of a dataset beyond 5 GB are not in the Hub's Parquet form; their
    /// splits are called <c>partial-…</c>.
    /// </summary>
    public async Task<IReadOnlyList<HubParquetFile>> ListParquetAsync(string repo, CancellationToken cancellation = default)
    {
        var listing = await GetJsonAsync<Dictionary<string, Dictionary<string, string[]>>>(
            Address($"api/datasets/{Path(repo)}/parquet"), cancellation);
        return [.. from config in listing
                   from split in config.Value
                   from url in split.Value
                   select new HubParquetFile(config.Key, split.Key, ParquetPath(url))];
    }

    /// <summary>Opens a file for reading from any place; what is read is fetched in parts, each with its own retries.</summary>
    public Task<Stream> OpenAsync(HubRepositoryKind kind, string repo, string commit, string path,
        CancellationToken cancellation = default) =>
        HubFileStream.OpenAsync(Transport, AddressOf(kind, repo, commit, path), cancellation);

    /// <summary>Where a file can be had, perhaps by a redirect.</summary>
    internal Uri AddressOf(HubRepositoryKind kind, string repo, string commit, string path) => Address(
        $"{(kind == HubRepositoryKind.Dataset ? "datasets/" : "")}{Path(repo)}/resolve/{Uri.EscapeDataString(commit)}/{Path(path)}");

    private Uri Address(string path) => new(_endpoint, path);

    private Task<T> GetJsonAsync<T>(Uri uri, CancellationToken cancellation) =>
        Transport.GetAsync(uri, () => null, ReadJsonAsync<T>, cancellation);

    private static async Task<T> ReadJsonAsync<T>(HubAnswer answer, CancellationToken cancellation)
    {
        try
        {
            return await answer.Response.Content.ReadFromJsonAsync<T>(cancellation) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new HubException(HubError.Unavailable,
                $"{answer.Response.RequestMessage?.RequestUri} answered something else than expected: {e.Message}", e);
        }
    }

    // A mirror may pass on the Hub's own links; its pages are to be had at the mirror all the same.
    private Uri? NextPage(HubAnswer answer)
    {
        if (!answer.Response.Headers.TryGetValues("Link", out var links)) return null;
        var next = NextLink().Match(string.Join(", ", links));
        return next.Success ? Address(next.Groups["path"].Value) : null;
    }

    private static string ParquetPath(string url)
    {
        var found = InParquetRevision().Match(url);
        return found.Success
            ? Uri.UnescapeDataString(found.Groups["path"].Value)
            : throw new HubException(HubError.Unavailable, $"the Hub lists {url}, which is not in {ParquetRevision}");
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
