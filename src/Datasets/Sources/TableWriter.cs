using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Writes rows as Parquet: all columns but images are texts, and rows that cannot be read have their fault in a column of its own, so that
/// they are counted. Memory holds one row group.
/// </summary>
/// <param name="columns">Columns that are known; those of the first row group are added.</param>
/// <param name="hasImages">True when rows have their image.</param>
internal sealed class TableWriter(IEnumerable<string> columns, bool hasImages)
{
    /// <summary>Column with the reason why a row cannot be read; no column of the dataset.</summary>
    public const string FaultColumn = "__fault";

    /// <summary>Column with the images.</summary>
    public const string ImageColumn = "image";

    private const long GroupBytes = 32 << 20;

    // As in the Hub's own Parquet files, and ten times as many where a row is a few texts.
    private readonly int _groupRows = hasImages ? 1000 : 10_000;

    private readonly DataField _image = new DataField<byte[]>(ImageColumn);
    private readonly DataField _fault = Text(FaultColumn);
    private DataField[] _texts = [];
    private readonly List<string> _columns = [.. columns];
    private readonly Dictionary<string, int> _places = [];
    private readonly List<(TableRow Row, string?[] Values)> _rows = [];
    private IReadOnlyList<string>? _lastColumns;
    private int[] _lastPlaces = [];
    private long _bytes;
    private ParquetWriter? _writer;

    /// <summary>All columns that the rows have.</summary>
    public IReadOnlyList<string> Columns => _columns;

    /// <summary>False when a column appeared after the first row group: the file then has to be written again with all columns.</summary>
    public bool IsComplete { get; private set; } = true;

    /// <param name="target">A seekable stream, which stays open.</param>
    public async Task WriteAsync(IAsyncEnumerable<TableRow> rows, Stream target, CancellationToken cancellationToken)
    {
        foreach (var (place, column) in _columns.Index()) _places[column] = place;
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            Learn(row.Columns);
            if (!IsComplete) continue;
            Add(row);
            if (_rows.Count >= _groupRows || _bytes >= GroupBytes) await WriteGroupAsync(target, cancellationToken);
        }
        if (!IsComplete) return;
        if (_rows.Count > 0 || _writer is null) await WriteGroupAsync(target, cancellationToken);
        await _writer!.DisposeAsync();
    }

    private void Learn(IReadOnlyList<string> ofRow)
    {
        if (ReferenceEquals(ofRow, _lastColumns)) return;
        foreach (var column in ofRow)
        {
            if (_places.ContainsKey(column)) continue;
            _places[column] = _columns.Count;
            _columns.Add(column);
            IsComplete &= _writer is null;
        }
        (_lastColumns, _lastPlaces) = (ofRow, [.. ofRow.Select(column => _places[column])]);
    }

    private void Add(TableRow row)
    {
        var values = new string?[_columns.Count];
        for (var i = 0; i < _lastPlaces.Length; i++)
        {
            values[_lastPlaces[i]] = row.Values[i];
            _bytes += row.Values[i]?.Length * sizeof(char) ?? 0;
        }
        _bytes += row.Image?.Length ?? 0;
        _rows.Add((row, values));
    }

    private async Task WriteGroupAsync(Stream target, CancellationToken cancellationToken)
    {
        _writer ??= await ParquetWriter.CreateAsync(
            new ParquetSchema([.. hasImages ? [_image] : (Field[])[], .. _texts = [.. _columns.Select(Text)], _fault]), target,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy }, cancellationToken: cancellationToken);
        using var group = _writer.CreateRowGroup();
        if (hasImages) await group.WriteAsync(_image, _rows.Select(row => row.Row.Image?.ToArray()).ToArray());
        foreach (var (place, field) in _texts.Index())
            await group.WriteAsync(field, _rows.Select(row => place < row.Values.Length ? row.Values[place] : null).ToArray());
        await group.WriteAsync(_fault, _rows.Select(row => row.Row.Fault).ToArray());
        group.CompleteValidate();
        _rows.Clear();
        _bytes = 0;
    }

    private static DataField Text(string column) => new DataField<string>(column);
}
