namespace FunctionsPipeline.Datasets;

/// <summary>Values of a column of a row group, one per row; of a list, the first value that is not null.</summary>
internal sealed class ColumnValues<T>
    where T : struct
{
    private readonly T[] _values;

    // Index of each row's value in _values, -1 for none; null when every row has one value.
    private readonly int[]? _places;

    private ColumnValues(T[] values, int[]? places)
    {
        _values = values;
        _places = places;
    }

    /// <summary>Returns the value of a row of the row group; null when the row has none.</summary>
    public T? this[int row]
    {
        get
        {
            var place = _places is null ? row : _places[row];
            return place < 0 ? null : _values[place];
        }
    }

    /// <summary>Assembles rows from values, definition levels and repetition levels, as Parquet stores them.</summary>
    /// <param name="values">The values that are not null, consecutive.</param>
    /// <param name="definitions">Definition level of each entry; null when the column is required.</param>
    /// <param name="complete">Definition level of an entry that has a value.</param>
    /// <param name="repetitions">Repetition level of each entry, 0 where a row begins; null when every entry is a row.</param>
    /// <param name="rows">Number of rows of the row group.</param>
    /// <exception cref="InvalidDataException">The levels do not match the number of rows.</exception>
    public static ColumnValues<T> Of(T[] values, int[]? definitions, int complete, int[]? repetitions, int rows)
    {
        var isWhole = definitions is null || !definitions.AsSpan().ContainsAnyExcept(complete);
        if (isWhole && repetitions is null) return new ColumnValues<T>(values, null);
        var places = new int[rows];
        Array.Fill(places, -1);
        var (row, next) = (-1, 0);
        for (var entry = 0; entry < values.Length; entry++)
        {
            if (repetitions is null || repetitions[entry] == 0) row++;
            if (row < 0 || row >= rows) throw new InvalidDataException($"its lists are not of {rows} rows");
            if (definitions is not null && definitions[entry] != complete) continue;
            if (places[row] < 0) places[row] = next;
            next++;
        }
        return row == rows - 1 ? new ColumnValues<T>(values, places)
            : throw new InvalidDataException($"its lists are of {row + 1} rows instead of {rows}");
    }
}
