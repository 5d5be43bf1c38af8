using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>Files of a dataset repository on the Hub at a commit.</summary>
/// <param name="maxImageBytes">Maximum size of an image in bytes.</param>
internal sealed class HubFiles(HubClient hub, string repo, string commit, long maxImageBytes) : IDatasetFiles
{
    private FileListing? _listing;

    public string Name => repo;

    public string Field => "dataset.repo";

    public async Task<FileListing> ListAsync(CancellationToken cancellationToken) => _listing ??= new FileListing(commit,
        [.. (await hub.ListFilesAsync(HubRepositoryKind.Dataset, repo, commit, cancellationToken))
            .Where(file => !FileListing.IsHidden(file.Path)).OrderBy(file => file.Path, StringComparer.Ordinal)]);

    public Task<Stream> OpenAsync(HubFileInfo file, CancellationToken cancellationToken) =>
        hub.OpenAsync(HubRepositoryKind.Dataset, repo, commit, file.Path, cancellationToken);

    public string? PathOf(string reference) => null;

    public async Task<ReadOnlyMemory<byte>?> FindImageAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await hub.Transport.GetAsync(hub.UrlOf(HubRepositoryKind.Dataset, repo, commit, path), () => null,
                async (response, token) =>
            {
                await using var body = await response.Message.Content.ReadAsStreamAsync(token);
                return await LimitedReading.ReadAsync(body, response.Message.Content.Headers.ContentLength, path, maxImageBytes, token);
            }, cancellationToken);
        }
        catch (HubException e) when (e.Error is HubErrorKind.EntryNotFound)
        {
            return null;
        }
    }
}

/// <summary>Reads images of a limited size.</summary>
internal static class LimitedReading
{
    /// <param name="length">Length that the server states; null when it states none.</param>
    /// <param name="name">Name of the image, for messages.</param>
    /// <param name="most">Maximum size in bytes.</param>
    /// <exception cref="UnreadableImageException">The image is too large or empty.</exception>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(
        Stream body, long? length, string name, long most, CancellationToken cancellationToken)
    {
        if (length > most) throw TooLarge($"{length:N0}");
        using var bytes = new MemoryStream((int)(length ?? 0));
        var buffer = new byte[64 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > most) throw TooLarge($"more than {most:N0}");
        }
        return bytes.Length > 0 ? bytes.ToArray() : throw new UnreadableImageException(Rejection.Empty, $"{name} has no bytes");

        UnreadableImageException TooLarge(string size) =>
            new(Rejection.TooLarge, FormattableString.Invariant($"{name} has {size} bytes; at most {most:N0} are read"));
    }
}
