using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Sylvan.Data.Csv;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Reads tables whose columns are separated by a comma, a semicolon, a tab or a bar; separator and header are found from the first rows.
/// Numbers with a decimal comma in a table with semicolons get a point.
/// </summary>
internal static partial class CsvTable
{
    private const int HeadChars = 1 << 16;
    private const int HeadRows = 50;
    private const int LongestHeader = 100;
    private const int LongestNumber = 30;
    private const char Semicolon = ';';

    // In characters. An opening quote that is never closed makes the rest of the file one row.
    private const int LongestRow = 8 << 20;

    private static readonly (char Separator, string Name)[] Separators = [(',', "','"), (Semicolon, "';'"), ('\t', "tab"), ('|', "'|'")];

    /// <param name="file">A seekable stream, which stays open.</param>
    /// <param name="encoding">Encoding of a file without a byte order mark.</param>
    /// <param name="name">Name of the file, for errors.</param>
    /// <exception cref="InvalidDataException">The file is empty.</exception>
    public static async Task<TableRows> OpenAsync(Stream file, Encoding encoding, string name, CancellationToken cancellationToken)
    {
        var (head, found) = await ReadHeadAsync(file, encoding, cancellationToken);
        var (rows, separator, separatorName) = Separators.Select(known => (Rows: Parse(head, known.Separator), known.Separator, known.Name))
            .MaxBy(candidate => Consistency(candidate.Rows));
        if (rows.Count == 0) throw new InvalidDataException($"{name} is empty");
        var hasHeader = !rows[0].Any(IsData);
        var columns = hasHeader ? Named(rows[0]) : [.. rows[0].Select((_, i) => Numbered(i))];
        var description = $"separator {separatorName}, {TextEncoding.NameOf(found)}, "
            + (hasHeader ? "header" : $"no header: columns {columns[0]} to {columns[^1]}")
            + (separator == Semicolon && rows.Any(row => row.Any(value => WithPoint(value) != value)) ? ", decimal comma" : "");
        return new TableRows(description, ReadAsync(file, encoding, separator, columns, hasHeader, cancellationToken));
    }

    private static async IAsyncEnumerable<TableRow> ReadAsync(Stream file, Encoding encoding, char separator, string[] columns,
        bool hasHeader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = TextEncoding.Read(file, encoding);
        await using var csv = await CsvDataReader.CreateAsync(reader, Options(separator), cancellationToken);
        var (line, isHeader) = (1L, hasHeader);
        while (true)
        {
            string? fault = null;
            try
            {
                if (!await csv.ReadAsync(cancellationToken)) yield break;
            }
            catch (CsvRecordTooLargeException)
            {
                fault = Text($"line {line}: a row of more than {LongestRow:N0} characters; is a quote not closed? The rest is not read");
            }
            if (fault is not null)
            {
                yield return TableRow.Unreadable(fault);
                yield break;
            }
            var start = line;
            line += Lines(csv.GetRawRecordSpan());
            if (line - start > 1 && EndsInQuotes(csv.GetRawRecordSpan(), separator))
            {
                yield return TableRow.Unreadable(
                    Text($"line {start}: a quote is not closed, which makes one row of all {line - start:N0} lines from there on"));
                yield break;
            }
            var count = csv.RowFieldCount;
            var isBlank = count == 1 && columns.Length > 1 && csv.GetString(0).Length == 0;
            if (!isHeader && !isBlank)
            {
                yield return count == columns.Length ? new TableRow(columns, Values(csv, separator))
                    : TableRow.Unreadable(Text($"line {start}: {count} fields instead of {columns.Length}"));
            }
            isHeader = false;
        }
    }

    private static string?[] Values(CsvDataReader csv, char separator)
    {
        var values = new string?[csv.RowFieldCount];
        for (var i = 0; i < values.Length; i++)
        {
            var value = csv.GetString(i);
            values[i] = value.Length == 0 ? null : separator == Semicolon ? WithPoint(value) : value;
        }
        return values;
    }

    // Semicolons separate where the comma is the decimal separator, as in 1.290,50 €. Prices are read with a point.
    private static string WithPoint(string value) =>
        value.Length <= LongestNumber && value.Contains(',', StringComparison.Ordinal)
        && DecimalComma().Match(value) is { Success: true } match
            ? $"{match.Groups["before"]}{match.Groups["whole"].Value.Replace(".", "", StringComparison.Ordinal)}.{match.Groups["fraction"]}"
                + match.Groups["after"]
            : value;

    private static async Task<(string Text, Encoding Encoding)> ReadHeadAsync(
        Stream file, Encoding encoding, CancellationToken cancellationToken)
    {
        using var reader = TextEncoding.Read(file, encoding);
        var head = new char[HeadChars];
        var text = new string(head, 0, await reader.ReadBlockAsync(head, cancellationToken));
        // Without the last row, which may be cut.
        if (text.Length == HeadChars && text.LastIndexOf('\n') is > 0 and var end) text = text[..(end + 1)];
        return (text, reader.CurrentEncoding);
    }

    private static List<string[]> Parse(string head, char separator)
    {
        var rows = new List<string[]>();
        using var csv = CsvDataReader.Create(new StringReader(head), Options(separator));
        while (rows.Count < HeadRows && csv.Read())
        {
            var fields = Enumerable.Range(0, csv.RowFieldCount).Select(csv.GetString).ToArray();
            if (fields is not [""]) rows.Add(fields);
        }
        return rows;
    }

    // The right separator gives all rows as many fields as the first one, and more than others do: a decimal comma makes two of each row.
    private static (double, int) Consistency(List<string[]> rows) => rows is [{ Length: > 1 } first, ..]
        ? (rows.Count(row => row.Length == first.Length) / (double)rows.Count, first.Length)
        : default;

    private static bool IsData(string value) => value.Length > LongestHeader || value.Contains("://", StringComparison.Ordinal)
        || ImageReferences.Of(value) is { Count: > 0 } || IsNumber(value);

    private static bool IsNumber(string value) =>
        value.AsSpan().ContainsAnyInRange('0', '9') && double.TryParse(value, CultureInfo.InvariantCulture, out _);

    private static string[] Named(string[] header)
    {
        var names = new List<string>();
        foreach (var (i, name) in header.Index())
        {
            var wanted = name.Trim() is { Length: > 0 } said ? said : Numbered(i);
            var unique = wanted;
            for (var n = 2; names.Contains(unique); n++) unique = Text($"{wanted}_{n}");
            names.Add(unique);
        }
        return [.. names];
    }

    private static string Numbered(int column) => Text($"column{column + 1}");

    private static int Lines(ReadOnlySpan<char> record)
    {
        var text = record.TrimEnd("\r\n");
        return 1 + Math.Max(text.Count('\n'), text.Count('\r'));
    }

    // Quotes begin at the start of a field; two within them are a character of the field.
    private static bool EndsInQuotes(ReadOnlySpan<char> record, char separator)
    {
        var (isQuoted, isStart) = (false, true);
        for (var i = 0; i < record.Length; i++)
        {
            if (!isQuoted) (isQuoted, isStart) = (isStart && record[i] == '"', record[i] == separator);
            else if (record[i..] is ['"', '"', ..]) i++;
            else isQuoted = record[i] != '"';
        }
        return isQuoted;
    }

    // Lax: a quote within a field is a character of it, as in 5" wide.
    private static CsvDataReaderOptions Options(char separator) => new()
    {
        HasHeaders = false,
        Delimiter = separator,
        Comment = '\0',
        CsvStyle = CsvStyle.Lax,
        BufferSize = 1 << 16,
        MaxBufferSize = LongestRow,
        OwnsReader = false,
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    // Three digits after the comma may be thousands.
    [GeneratedRegex(
        @"^(?<before>\s*[+-]?\s*[^\d\s.,+-]{0,4}\s*)(?<whole>\d{1,3}(?:\.\d{3})+|\d+),(?<fraction>\d{1,2})(?<after>\s*[^\d\s.,]{0,4}\s*)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex DecimalComma();
}
