using System.Buffers.Binary;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet;

/// <summary>Writes a Parquet file; the footer is written when it is disposed.</summary>
public sealed class ParquetWriter : ParquetActor, IAsyncDisposable
{
    private readonly ParquetSchema schema;
    private readonly ParquetOptions options;
    private readonly PositionedStream output;
    private readonly List<ParquetRowGroupWriter> groups = [];

    private ParquetWriter(ParquetSchema schema, Stream stream, ParquetOptions options)
        : base(stream)
    {
        this.schema = schema;
        this.options = options;
        output = new PositionedStream(stream);
    }

    /// <summary>The file's own key-value pairs.</summary>
    public IReadOnlyDictionary<string, string> CustomMetadata { get; set; } = new Dictionary<string, string>();

    public static async Task<ParquetWriter> CreateAsync(
        ParquetSchema schema, Stream output, ParquetOptions? options = null, bool append = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(output);
        if (!output.CanWrite) throw new ArgumentException("stream is not writeable", nameof(output));
        if (append) throw new NotSupportedException("Appending to a file is not supported by this build.");
        var writer = new ParquetWriter(schema, output, options ?? new ParquetOptions());
        await writer.output.WriteAsync(Magic.ToArray(), cancellationToken).ConfigureAwait(false);
        return writer;
    }

    public ParquetRowGroupWriter CreateRowGroup()
    {
        var group = new ParquetRowGroupWriter(schema, output, options);
        groups.Add(group);
        return group;
    }

    public async ValueTask DisposeAsync()
    {
        var metadata = new FileMetaData
        {
            Version = 2,
            Schema = SchemaEncoder.Encode(schema),
            NumRows = groups.Sum(group => group.RowCount ?? 0),
            RowGroups = [.. groups.Select(group => group.Metadata())],
            KeyValueMetadata = [.. CustomMetadata.Select(pair => new KeyValue { Key = pair.Key, Value = pair.Value })],
            CreatedBy = "Parquet.Net version 6.1.0 (build stand-in)",
        };
        var footer = MetaWriter.Write(metadata);
        var tail = new byte[footer.Length + sizeof(int) + Magic.Length];
        footer.CopyTo(tail.AsMemory());
        BinaryPrimitives.WriteInt32LittleEndian(tail.AsSpan(footer.Length), footer.Length);
        Magic.CopyTo(tail.AsSpan(footer.Length + sizeof(int)));
        await output.WriteAsync(tail, CancellationToken.None).ConfigureAwait(false);
        await Stream.FlushAsync().ConfigureAwait(false);
    }
}
