namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Where a run reads its shards and its base model, and writes its documents and its model: files named as in blob storage, by container
/// and name.
/// </summary>
public interface IRunStore
{
    /// <summary>Names in a container that start with a prefix, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken);

    /// <summary>The whole content of a small document; null when there is none.</summary>
    Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken);

    /// <summary>Copies an object to a local file, replacing it.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Writes a small document, replacing it.</summary>
    Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Adds to the end of a document, which is made when it is not there.</summary>
    Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Copies a local file to an object, replacing it.</summary>
    Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Removes an object; nothing happens when there is none.</summary>
    Task DeleteAsync(string container, string name, CancellationToken cancellationToken);
}
