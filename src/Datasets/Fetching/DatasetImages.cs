using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Fetching;

/// <summary>
/// Fetches the images that rows refer to: by an http(s) URL from the Internet, by a path from the dataset's own files. A path is looked for
/// in the folder of its table, then in the dataset's root.
/// </summary>
/// <param name="files">The dataset's own files.</param>
/// <param name="table">Path of the table with the references.</param>
internal sealed class DatasetImages(ImageDownloader downloader, IDatasetFiles files, IngestPlan plan, string table)
{
    private readonly string _folder = table[..(table.LastIndexOf('/') + 1)];

    /// <summary>Returns the name under which the image of a reference is remembered: that of a path holds for a commit only.</summary>
    public string KeyOf(string reference) => IsUrl(reference) && files.PathOf(reference) is null
        ? reference : $"{plan.Commit}/{_folder}{reference}";

    /// <exception cref="UnreadableImageException">The reference is not allowed, or the image is missing or too large, or cannot be
    /// downloaded.</exception>
    public async Task<ReadOnlyMemory<byte>> FetchAsync(string? reference, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(reference)) throw new UnreadableImageException(Rejection.NoImage, "the row has no image");
        var path = files.PathOf(reference);
        if (path is null && IsUrl(reference)) return await downloader.DownloadAsync(reference, cancellationToken);
        foreach (var candidate in path is null ? Candidates(reference) : [path])
            if (await files.FindImageAsync(candidate, cancellationToken) is { } image) return image;
        throw new UnreadableImageException(Rejection.NotFound, $"{files.Name} has no file {path ?? Candidates(reference)[0]}");
    }

    private List<string> Candidates(string reference)
    {
        var written = reference.Trim().Replace('\\', '/');
        // Words such as "N.A." are neither.
        var isPath = written.Contains('/', StringComparison.Ordinal) || DatasetForm.IsImage(written);
        if (!isPath || written.StartsWith('/') || written.Contains(':', StringComparison.Ordinal))
        {
            throw new UnreadableImageException(Rejection.BadUrl,
                $"'{reference}' is not an http or https URL, nor a path relative to the table or to {files.Name}");
        }
        List<string> candidates = [.. new[] { _folder, "" }.Distinct().Select(folder => Below(folder + written)).OfType<string>()];
        return candidates.Count > 0 ? candidates
            : throw new UnreadableImageException(Rejection.BadUrl, $"'{reference}' leads out of {files.Name}");
    }

    // Null when the path leads out of the source.
    private static string? Below(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
        {
            if (part is "" or ".") continue;
            if (part != "..") parts.Add(part);
            else if (parts.Count > 0) parts.RemoveAt(parts.Count - 1);
            else return null;
        }
        return parts.Count > 0 ? string.Join('/', parts) : null;
    }

    private static bool IsUrl(string reference) => reference.Contains("://", StringComparison.Ordinal);
}
