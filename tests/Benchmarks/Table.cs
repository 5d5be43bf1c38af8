using System.Text;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A Markdown table that is also legible on a console: columns are padded, all but the first aligned to the right.</summary>
internal sealed class Table(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row with a cell for every column.</summary>
    public void Add(params string[] cells)
    {
        if (cells.Length != columns.Length)
            throw new ArgumentException($"{cells.Length} cells for {columns.Length} columns.", nameof(cells));
        _rows.Add(cells);
    }

    /// <summary>The table, a line a row.</summary>
    public string Markdown
    {
        get
        {
            var widths = columns.Select((column, i) => _rows.Select(row => row[i].Length).Append(column.Length).Append(3).Max()).ToArray();
            var text = new StringBuilder();
            Append(text, columns, widths);
            Append(text, [.. widths.Select((width, i) => i == 0 ? new string('-', width) : new string('-', width - 1) + ':')], widths);
            foreach (var row in _rows) Append(text, row, widths);
            return text.ToString();
        }
    }

    private static void Append(StringBuilder text, string[] cells, int[] widths)
    {
        for (var i = 0; i < cells.Length; i++)
            text.Append("| ").Append(i == 0 ? cells[i].PadRight(widths[i]) : cells[i].PadLeft(widths[i])).Append(' ');
        text.Append("|\n");
    }
}
