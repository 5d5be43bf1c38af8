using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Source of a row's image: embedded bytes, a URL, or either, as in the Hub's Image feature <c>struct&lt;bytes, path&gt;</c>, whose path is
/// used when bytes are null. Of a list, the first image that is not null is used.
/// </summary>
/// <param name="Bytes">The binary column with embedded images; null when there is none.</param>
/// <param name="Url">The text column with URLs; null when there is none.</param>
internal sealed record ImageColumn(DataField? Bytes, DataField? Url)
{
    /// <summary>Finds the source of images in a column; null when its type cannot hold images.</summary>
    public static ImageColumn? Find(ParquetFile file, Field column) => column switch
    {
        ListField list => Find(file, list.Item),
        DataField text when ColumnFields.IsText(text) => new ImageColumn(null, text),
        DataField binary when IsBinary(file, binary) => new ImageColumn(binary, null),
        StructField { Fields: var fields } => Find(
            fields.OfType<DataField>().FirstOrDefault(field => field.Name == "bytes" && IsBinary(file, field)),
            fields.OfType<DataField>().FirstOrDefault(field => field.Name == "path" && ColumnFields.IsText(field))),
        _ => null,
    };

    /// <summary>Reads the images of the given rows of a row group; reads the URL column only when an image is not embedded.</summary>
    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public async Task<Func<int, (ReadOnlyMemory<byte>? Bytes, string? Url)>> ReadAsync(
        ParquetFile file, int group, IReadOnlyList<int> rows, CancellationToken cancellationToken)
    {
        var bytes = Bytes is null ? null : await file.ReadAsync<ReadOnlyMemory<byte>>(group, Bytes, cancellationToken);
        var urls = Url is null || (bytes is not null && rows.All(row => bytes[row] is not null)) ? null
            : await file.ReadAsync<ReadOnlyMemory<char>>(group, Url, cancellationToken);
        return row => bytes?[row] is { } embedded ? (embedded, null) : (null, urls?[row]?.ToString());
    }

    private static ImageColumn? Find(DataField? bytes, DataField? path) => bytes is null ? null : new ImageColumn(bytes, path);

    private static bool IsBinary(ParquetFile file, DataField field) =>
        field.ClrType == typeof(ReadOnlyMemory<byte>) && file.StoredTypeOf(field) is null;
}
