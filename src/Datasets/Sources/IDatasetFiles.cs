using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>The files that a dataset consists of: those of a repository at a commit, or of a folder of blob storage.</summary>
internal interface IDatasetFiles
{
    /// <summary>Name for messages, such as <c>owner/name</c> or <c>container/folder</c>.</summary>
    string Name { get; }

    /// <summary>Member of the request that names the source, for errors.</summary>
    string Field { get; }

    /// <summary>Lists all files but hidden ones, in the order of their paths; an instance lists them once.</summary>
    Task<FileListing> ListAsync(CancellationToken cancellationToken);

    /// <summary>Opens a file as a seekable stream of the listed version.</summary>
    Task<Stream> OpenAsync(HubFileInfo file, CancellationToken cancellationToken);

    /// <summary>Returns the path below the source that an absolute reference stands for; null when it refers to something else.</summary>
    /// <param name="reference">Image reference of a table, such as a URL of the container that the source is in.</param>
    string? PathOf(string reference);

    /// <summary>Reads an image.</summary>
    /// <param name="path">Path below the source, with forward slashes.</param>
    /// <returns>The bytes; null when there is no such file.</returns>
    /// <exception cref="UnreadableImageException">The file is too large, empty, or newer than the dataset's commit.</exception>
    Task<ReadOnlyMemory<byte>?> FindImageAsync(string path, CancellationToken cancellationToken);
}

/// <summary>The files of a source.</summary>
/// <param name="Commit">The commit; of blob storage a hash of the files' names, sizes and versions.</param>
/// <param name="AsOf">Time of the last change of a file; null where a commit pins the content.</param>
internal sealed record FileListing(string Commit, IReadOnlyList<HubFileInfo> Files, DateTimeOffset? AsOf = null)
{
    /// <summary>True for files that no dataset is made of: of version control, and those that tools keep to themselves.</summary>
    public static bool IsHidden(string path) =>
        path.Split('/').Any(part => (part.StartsWith('.') && part != ".") || part.StartsWith("__", StringComparison.Ordinal));
}
