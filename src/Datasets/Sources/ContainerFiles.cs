using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Files of a folder of blob storage. Their versions are MD5s, or ETags of blobs that have none; blobs that were changed after a listing
/// are not read under its commit.
/// </summary>
internal sealed partial class ContainerFiles : IDatasetFiles
{
    private readonly BlobContainerClient _container;
    private readonly string _folder;
    private readonly DateTimeOffset? _asOf;
    private readonly long _maxImageBytes;
    private FileListing? _listing;

    /// <param name="asOf">Time of the last change of a listed file, after which no image may have changed; null before a listing.</param>
    /// <param name="maxImageBytes">Maximum size of an image in bytes.</param>
    public ContainerFiles(BlobServiceClient blobs, DatasetSource source, DateTimeOffset? asOf, long maxImageBytes)
    {
        _container = blobs.GetBlobContainerClient(source.Container);
        _folder = source.Folder;
        _asOf = asOf;
        _maxImageBytes = maxImageBytes;
    }

    public string Name => $"{_container.Name}/{_folder}";

    public string Field => "dataset.source";

    /// <summary>Returns the name that a dataset gets whose request has none: <c>{container}/{folder}</c>.</summary>
    public static string RepoOf(DatasetSource source)
    {
        const int Longest = 96;
        // Two dashes separate owner and name in blob names (BlobNames.Slug).
        var folder = Unfit().Replace(source.Prefix ?? "", "-").Trim('-', '.', '_');
        if (folder.Length > Longest) folder = folder[..Longest];
        return $"{source.Container}/{(folder.Length > 0 ? folder : "all")}";
    }

    public async Task<FileListing> ListAsync(CancellationToken cancellationToken) =>
        _listing ??= await ListOnceAsync(cancellationToken);

    /// <exception cref="RequestException">The blob was changed or deleted since it was listed.</exception>
    public async Task<Stream> OpenAsync(HubFileInfo file, CancellationToken cancellationToken)
    {
        const int ReadAhead = 4 * 1024 * 1024;
        var blob = _container.GetBlobClient(_folder + file.Path);
        try
        {
            BlobProperties properties = await blob.GetPropertiesAsync(cancellationToken: cancellationToken);
            if (VersionOf(properties.ContentHash, properties.ETag) != file.GitOid) throw Changed();
            return await blob.OpenReadAsync(new BlobOpenReadOptions(allowModifications: false)
            {
                BufferSize = ReadAhead,
                Conditions = new BlobRequestConditions { IfMatch = properties.ETag },
            }, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            throw Changed();
        }

        RequestException Changed() => new(Field, 409, $"{Name}{file.Path} was changed or deleted meanwhile: start again");
    }

    public string? PathOf(string reference)
    {
        // azureml://subscriptions/…/datastores/{name}/paths/{path}, or without subscriptions; the path is relative to the container.
        const string Paths = "/paths/";
        string? name = null;
        if (reference.StartsWith("azureml://", StringComparison.OrdinalIgnoreCase))
            name = reference.IndexOf(Paths, StringComparison.Ordinal) is >= 0 and var at ? reference[(at + Paths.Length)..] : null;
        else if (Uri.TryCreate(reference, UriKind.Absolute, out var uri) && uri.Host == _container.Uri.Host
            && uri.AbsolutePath.StartsWith(_container.Uri.AbsolutePath + "/", StringComparison.Ordinal))
            name = Uri.UnescapeDataString(uri.AbsolutePath[(_container.Uri.AbsolutePath.Length + 1)..]);
        if (name is null) return null;
        return name.StartsWith(_folder, StringComparison.Ordinal) ? name[_folder.Length..]
            : throw new UnreadableImageException(Rejection.BadUrl, $"'{reference}' is not in {Name}");
    }

    public async Task<ReadOnlyMemory<byte>?> FindImageAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            BlobDownloadStreamingResult blob = await _container.GetBlobClient(_folder + path)
                .DownloadStreamingAsync(cancellationToken: cancellationToken);
            await using var content = blob.Content;
            if (blob.Details.LastModified > _asOf)
            {
                throw new UnreadableImageException(Rejection.Changed,
                    $"{Name}{path} was changed after the files were listed; ingest the dataset again");
            }
            return await LimitedReading.ReadAsync(content, blob.Details.ContentLength, path, _maxImageBytes, cancellationToken);
        }
        // 400: storage does not allow such a name.
        catch (RequestFailedException e) when (e.Status is 404 or 400)
        {
            return null;
        }
    }

    private async Task<FileListing> ListOnceAsync(CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var files = new List<HubFileInfo>();
        DateTimeOffset? asOf = null;
        try
        {
            var options = new GetBlobsOptions { Prefix = _folder, Traits = BlobTraits.Metadata };
            await foreach (var blob in _container.GetBlobsAsync(options, cancellationToken))
            {
                var path = blob.Name[_folder.Length..];
                // Storage with a hierarchical namespace lists folders as empty blobs.
                var isFolder = path.Length == 0 || path.EndsWith('/') || blob.Metadata.ContainsKey("hdi_isfolder");
                if (isFolder || FileListing.IsHidden(path)) continue;
                var properties = blob.Properties;
                var file = new HubFileInfo(
                    path, properties.ContentLength ?? 0, null, VersionOf(properties.ContentHash, properties.ETag ?? default));
                hash.AppendData(Encoding.UTF8.GetBytes($"{file.Path}\n{file.Size}\n{file.GitOid}\n"));
                files.Add(file);
                if (!(properties.LastModified < asOf)) asOf = properties.LastModified;
            }
        }
        catch (RequestFailedException e) when (e.Status is 404 or 403)
        {
            throw Unreachable(e);
        }
        return new FileListing(Convert.ToHexStringLower(hash.GetHashAndReset())[..40], files, asOf);
    }

    private RequestException Unreachable(RequestFailedException failure) => failure.Status == 404
        ? new($"{Field}.container", 404, $"the storage account {_container.AccountName} has no container '{_container.Name}'")
        : new($"{Field}.container", 403, $"the app may not read the container '{_container.Name}': " +
            $"give its identity the role Storage Blob Data Reader on it (infra/README.md has the command)");

    private static string VersionOf(byte[]? md5, ETag etag) =>
        md5 is { Length: > 0 } ? Convert.ToHexStringLower(md5) : etag.ToString("G").Trim('"');

    [GeneratedRegex("[^A-Za-z0-9._]+", RegexOptions.CultureInvariant)]
    private static partial Regex Unfit();
}
