namespace FunctionsPipeline.Datasets;

/// <summary>A column of a row group: the value of each row, which for a list is the first in it that is not null.</summary>
internal sealed class ColumnValues<T>
    where T : struct
{
    private readonly T[] _values;

    // Where the value of a row is, -1 for none; null when every row has one.
    private readonly int[]? _places;

    private ColumnValues(T[] values, int[]? places)
    {
        _values = values;
        _places = places;
    }

    /// <summary>The value of a row of the row group.</summary>
    public T? this[int row]
    {
        get
        {
            var place = _places is null ? row : _places[row];
            return place < 0 ? null : _values[place];
        }
    }

    /// <summary>Brings values and levels, as Parquet stores them, back to rows.</summary>
    /// <param name="values">Those that are not null, one after another.</param>
    /// <param name="definitions">For each entry, how much of its path is there; null when everything always is.</param>
    /// <param name="complete">The definition level of an entry that has a value.</param>
    /// <param name="repetitions">For each entry, 0 if it begins a row; null when every entry does.</param>
    /// <param name="rows">Rows of the row group.</param>
    /// <exception cref="InvalidDataException">The levels are of another number of rows.</exception>
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
