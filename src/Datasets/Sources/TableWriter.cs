using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Writes rows as Parquet: columns are texts, but for images, and for lists of references to images; rows that cannot be read have their
/// fault in a column of its own, so that they are counted. Memory holds one row group.
/// </summary>
/// <param name="known">Columns of the same rows, as an incomplete attempt found them; null at first.</param>
/// <param name="hasImages">True when rows have their image.</param>
internal sealed class TableWriter(TableColumns? known, bool hasImages)
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
    private Field[] _fields = [];
    private readonly List<string> _columns = [.. known?.Names ?? []];
    private readonly List<ReferenceCounts> _references = [.. (known?.Names ?? []).Select(_ => new ReferenceCounts())];
    private readonly Dictionary<string, int> _places = [];
    private readonly List<(TableRow Row, string?[] Values)> _rows = [];
    private IReadOnlyList<string>? _lastColumns;
    private int[] _lastPlaces = [];
    private long _bytes;
    private ParquetWriter? _writer;

    /// <summary>All columns that the rows have.</summary>
    public TableColumns Columns => new(_columns, [.. _columns.Where((_, place) => _references[place].AreLists)]);

    /// <summary>
    /// False when a column appeared after the first row group, or turned out to have lists or not: the file then has to be written again
    /// with what is known of the columns.
    /// </summary>
    public bool IsComplete { get; private set; } = true;

    /// <param name="target">A seekable stream, which stays open.</param>
    public async Task WriteAsync(IAsyncEnumerable<TableRow> rows, Stream target, CancellationToken cancellationToken)
    {
        foreach (var (place, column) in _columns.Index()) _places[column] = place;
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            Learn(row);
            if (!IsComplete) continue;
            Add(row);
            if (_rows.Count >= _groupRows || _bytes >= GroupBytes) await WriteGroupAsync(target, cancellationToken);
        }
        if (!IsComplete) return;
        if (_rows.Count > 0 || _writer is null) await WriteGroupAsync(target, cancellationToken);
        await _writer!.DisposeAsync();
        IsComplete = _fields.OfType<ListField>().Select(field => field.Name).SequenceEqual(Columns.Lists);
    }

    private void Learn(TableRow row)
    {
        if (!ReferenceEquals(row.Columns, _lastColumns)) Learn(row.Columns);
        for (var i = 0; i < _lastPlaces.Length; i++)
            if (row.Values[i] is { } cell) _references[_lastPlaces[i]].Add(cell);
    }

    private void Learn(IReadOnlyList<string> ofRow)
    {
        foreach (var column in ofRow)
        {
            if (_places.ContainsKey(column)) continue;
            _places[column] = _columns.Count;
            _columns.Add(column);
            _references.Add(new ReferenceCounts());
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
        if (_writer is null)
        {
            var lists = known?.Lists ?? Columns.Lists;
            _fields = [.. _columns.Select(column => lists.Contains(column) ? new ListField(column, Text("element")) : (Field)Text(column))];
            _writer = await ParquetWriter.CreateAsync(
                new ParquetSchema([.. hasImages ? [_image] : (Field[])[], .. _fields, _fault]), target,
                new ParquetOptions { CompressionMethod = CompressionMethod.Snappy }, cancellationToken: cancellationToken);
        }
        using var group = _writer.CreateRowGroup();
        if (hasImages) await group.WriteAsync(_image, _rows.Select(row => row.Row.Image?.ToArray()).ToArray());
        foreach (var (place, field) in _fields.Index())
        {
            var values = _rows.Select(row => place < row.Values.Length ? row.Values[place] : null);
            if (field is ListField list) await WriteAsync(group, (DataField)list.Item, values);
            else await group.WriteAsync((DataField)field, values.ToArray());
        }
        await group.WriteAsync(_fault, _rows.Select(row => row.Row.Fault).ToArray());
        group.CompleteValidate();
        _rows.Clear();
        _bytes = 0;
    }

    private static async Task WriteAsync(ParquetRowGroupWriter group, DataField items, IEnumerable<string?> cells)
    {
        // A cell without images is a list of null, and one that is no list of references a list of itself.
        var lists = cells.Select(cell => cell is null ? [] : ImageReferences.Of(cell) ?? [cell])
            .Select(list => list.Count == 0 ? [null] : list.ToArray<string?>()).ToList();
        await group.WriteAsync(items, lists.SelectMany(list => list).ToArray(),
            lists.SelectMany(list => list.Select((_, i) => Math.Min(i, 1))).ToArray());
    }

    private static DataField Text(string column) => new DataField<string>(column);

    /// <summary>Counts the cells of a column that refer to images.</summary>
    private sealed class ReferenceCounts
    {
        private long _cells;
        private long _references;
        private bool _hasLists;

        /// <summary>True for lists of images: of a column of other texts, a few cells may look like one.</summary>
        public bool AreLists => _hasLists && _references * 2 > _cells;

        public void Add(string cell)
        {
            var images = ImageReferences.Of(cell);
            // An empty list may be of anything.
            if (images is { Count: 0 }) return;
            _cells++;
            if (images is null) return;
            _references++;
            _hasLists |= ImageReferences.IsList(cell, images);
        }
    }
}

/// <summary>Columns of a table.</summary>
/// <param name="Lists">Those of the columns that have lists of references to images.</param>
internal sealed record TableColumns(IReadOnlyList<string> Names, IReadOnlyList<string> Lists);
