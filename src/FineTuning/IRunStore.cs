namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Storage that a run reads its shards and base model from and writes its documents and model to. Objects are named as in blob storage, by
/// container and name.
/// </summary>
public interface IRunStore
{
    /// <summary>Lists the names in a container that start with a prefix, in ordinal order.</summary>
    Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken);

    /// <summary>Reads the complete content of a small document; null when there is none.</summary>
    Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken);

    /// <summary>Copies an object to a local file and replaces an existing file.</summary>
    /// <exception cref="FileNotFoundException">There is no such object.</exception>
    Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Writes a small document and replaces an existing one.</summary>
    Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Appends to a document, which is created if missing.</summary>
    Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Copies a local file to an object and replaces an existing object.</summary>
    Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken);

    /// <summary>Removes an object if it exists.</summary>
    Task DeleteAsync(string container, string name, CancellationToken cancellationToken);
}
