using Parquet.Meta;
using Parquet.Schema;

namespace Parquet;

/// <summary>Reads a Parquet file: the footer at once, columns when they are asked for.</summary>
public class ParquetReader : ParquetActor, IAsyncDisposable
{
    private readonly bool leaveStreamOpen;
    private readonly List<ParquetRowGroupReader> groups;

    private ParquetReader(Stream stream, FileMetaData metadata, bool leaveStreamOpen)
        : base(stream)
    {
        this.leaveStreamOpen = leaveStreamOpen;
        Metadata = metadata;
        CustomMetadata = [];
        foreach (var pair in metadata.KeyValueMetadata ?? []) CustomMetadata[pair.Key] = pair.Value ?? "";
        groups = [.. metadata.RowGroups.Select(group => new ParquetRowGroupReader(group, stream))];
    }

    /// <summary>Made anew each time, from what <see cref="Metadata"/> says then.</summary>
    /// <exception cref="ParquetException">The elements form no tree.</exception>
    /// <exception cref="NotSupportedException">A column is of half floats.</exception>
    public ParquetSchema Schema => SchemaDecoder.Decode(Metadata!.Schema);

    public FileMetaData? Metadata { get; }

    /// <summary>The file's own key-value pairs, such as <c>huggingface</c>.</summary>
    public Dictionary<string, string> CustomMetadata { get; }

    public int RowGroupCount => groups.Count;

    public IReadOnlyList<ParquetRowGroupReader> RowGroups => groups;

    /// <param name="input">A seekable stream; reads go forward within a column, so that a stream over HTTP ranges serves well.</param>
    /// <exception cref="IOException">It is not a Parquet file.</exception>
    /// <exception cref="ParquetException">The footer is damaged.</exception>
    public static async Task<ParquetReader> CreateAsync(
        Stream input, ParquetOptions? parquetOptions = null, bool leaveStreamOpen = true, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (!input.CanRead || !input.CanSeek) throw new ArgumentException("stream must be readable and seekable", nameof(input));
        return new ParquetReader(input, await Footer.ReadAsync(input, cancellationToken).ConfigureAwait(false), leaveStreamOpen);
    }

    /// <inheritdoc cref="CreateAsync(Stream, ParquetOptions, bool, CancellationToken)"/>
    public static async Task<ParquetReader> CreateAsync(
        string filePath, ParquetOptions? parquetOptions = null, CancellationToken cancellationToken = default)
    {
        var file = File.OpenRead(filePath);
        try
        {
            return await CreateAsync(file, parquetOptions, leaveStreamOpen: false, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await file.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ParquetRowGroupReader OpenRowGroupReader(int index) => groups[index];

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return leaveStreamOpen ? ValueTask.CompletedTask : Stream.DisposeAsync();
    }
}
