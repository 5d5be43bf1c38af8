using System.Globalization;
using System.Text;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Tests.StandIns.Parquet;

/// <summary>
/// One table, which arrow-rs wrote in every encoding, compression and page version (Fixtures/make-arrow.mjs), and the scalars of DuckDB
/// (Fixtures/make-duckdb.mjs).
/// </summary>
public sealed class EncodingTests
{
    private const int Rows = 120;

    private static readonly string[] Categories = ["coat", "dress", "shirt"];

    public static TheoryData<string> Files => [.. Directory.GetFiles(Folder, "arrow-*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Parquet", "Fixtures");

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Every_column_is_read_in_every_way_it_can_be_written(string file)
    {
        await using var reader = await ParquetReader.CreateAsync(Path.Combine(Folder, file));
        Assert.Equal(2, reader.RowGroupCount);
        foreach (var field in reader.Schema.GetDataFields())
        {
            if (!Package.IsStandIn && LimitOfThePackage(file, field) is not null)
            {
                await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(reader, field));
                continue;
            }
            var expected = Enumerable.Range(0, Rows).Select(row => Expected(field.Path.ToString(), row));
            Assert.Equal(expected, await ReadAsync(reader, field));
        }
    }

    // The reason, where the published package fails on what is no damage.
    private static string? LimitOfThePackage(string file, DataField field) => field switch
    {
        { MaxRepetitionLevel: > 0 } when file.Contains("-v2-", StringComparison.Ordinal) => "lists in data pages of version 2 are not implemented",
        { Name: "discounted" } when file.Contains("delta", StringComparison.Ordinal) || file == "arrow-v2-dictionary-snappy.parquet" =>
            "run lengths of booleans divide by zero",
        _ => null,
    };

    [Fact]
    public async Task Scalars_of_every_type_are_read()
    {
        var expected = await ScalarsAsync("duckdb-types.parquet");
        Assert.Equal(("-30", "18446744073709551000", "0", "00000000-0000-0000-0000-000000000000"),
            (expected["int8"][0], expected["uint64"][0], expected["decimal128"][0], expected["uuid"][0]));
        Assert.Equal(("-29", "18446744073709551001", "0.25", "1000.25", "12345.678", "02/29/2024 00:00:00", "02/28/2024 12:31:00", "02/28/2024 12:30:01"),
            (expected["int8"][1], expected["uint64"][1], expected["decimal32"][1], expected["decimal64"][1], expected["decimal128"][1], expected["day"][1],
                expected["moment"][1], expected["nanos"][1]));
        Assert.Equal([null, "$10.5", "$20.5", null], expected["priced"].Take(4));
    }

    [StandInFact("the package reads differences of 32- and 64-bit integers only")]
    public async Task Differences_are_read_into_every_type_that_is_stored_as_an_integer() =>
        Assert.Equal(await ScalarsAsync("duckdb-types.parquet"), await ScalarsAsync("duckdb-v2.parquet"));

    [StandInTheory("the package does not look at checksums")]
    [InlineData("imageurl", 0.4, 0)]
    [InlineData("imageurl", 0.9, 1)]
    [InlineData("category", 0.3, 0)]
    [InlineData("price", 0.9, 1)]
    public async Task A_wrong_checksum_is_an_exception_that_names_column_and_page(string column, double place, int page)
    {
        var data = await File.ReadAllBytesAsync(Path.Combine(Folder, "checksums.parquet"));
        await using var reader = await ParquetReader.CreateAsync(new MemoryStream(data));
        var field = reader.Schema.FindDataField(column);
        Assert.Equal(80, (await ReadAsync(reader, field)).Count);
        var chunk = reader.OpenRowGroupReader(0).GetMetadata(field)!.MetaData!;
        data[Math.Min(chunk.DataPageOffset, chunk.DictionaryPageOffset ?? long.MaxValue) + (long)(chunk.TotalCompressedSize * place)] ^= 1;
        var exception = await Assert.ThrowsAsync<ParquetException>(() => ReadAsync(reader, field));
        Assert.StartsWith($"column '{column}' is corrupt: page {page}: its checksum is", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>The rows of a column as text: lists with commas, an absent value as a dash, an absent list as nothing.</summary>
    private static async Task<List<string>> ReadAsync(ParquetReader reader, DataField field)
    {
        var rows = new List<string>();
        for (var group = 0; group < reader.RowGroupCount; group++)
        {
            var read = typeof(EncodingTests).GetMethod(nameof(ReadGroupAsync), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
                .MakeGenericMethod(field.ClrType);
            rows.AddRange(await (Task<List<string>>)read.Invoke(null, [reader.OpenRowGroupReader(group), field])!);
        }
        return rows;
    }

    private static async Task<List<string>> ReadGroupAsync<T>(ParquetRowGroupReader group, DataField field)
        where T : struct
    {
        var count = (int)group.GetMetadata(field)!.MetaData!.NumValues;
        var (values, definitions, repetitions) = (new T[count], new int[count], new int[count]);
        await group.ReadRawAsync<T>(field, values, field.MaxDefinitionLevel > 0 ? definitions.AsMemory() : default(Memory<int>?),
            field.MaxRepetitionLevel > 0 ? repetitions.AsMemory() : default(Memory<int>?));
        var (rows, next) = (new List<string>(), 0);
        for (var i = 0; i < count; i++)
        {
            var isThere = definitions[i] == field.MaxDefinitionLevel || field.MaxDefinitionLevel == 0;
            // In the lists here, levels 0 and 1 are a list that is absent or empty.
            var text = isThere ? Text(values[next++]) : field.MaxRepetitionLevel > 0 && definitions[i] < 2 ? "" : "-";
            if (repetitions[i] == 0) rows.Add(text);
            else rows[^1] += "," + text;
        }
        return rows;
    }

    private static string Text<T>(T value) => value switch
    {
        ReadOnlyMemory<char> text => text.ToString(),
        ReadOnlyMemory<byte> bytes => Encoding.UTF8.GetString(bytes.Span),
        decimal number => number.ToString("0.####", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Expected(string column, int row)
    {
        var path = row % 4 == 0 ? "-" : $"images/{row}.jpg";
        return column switch
        {
            "id" => $"{row}",
            "size" => row % 3 == 0 ? "-" : $"{(row * 7919 % 1000) - 500}",
            "price" => row % 5 == 0 ? "-" : Text(row * 1.5),
            "weight" => Text(row / 4f),
            "discounted" => row % 11 == 0 ? "-" : $"{row % 3 == 0}",
            "title" => row % 6 == 0 ? "-" : $"Garment {row} – {new string('é', row % 4)}",
            "category" => Categories[row % 3],
            "image/bytes" => row % 10 == 9 ? "-" : $"bytes of {row}",
            "image/path" => row % 10 == 9 ? "-" : path,
            "tags/list/item" => row % 8 == 0 ? "" : string.Join(',', Enumerable.Range(0, row % 4).Select(i => i == 1 ? "-" : $"tag {row}.{i}")),
            "images/list/item/bytes" => row % 7 == 0 ? "" : string.Join(',', new[] { "-", $"bytes of {row}" }.Take(row % 3)),
            "images/list/item/path" => row % 7 == 0 ? "" : string.Join(',', new[] { "-", path }.Take(row % 3)),
            _ => throw new ArgumentOutOfRangeException(nameof(column), column, "not in make-arrow.mjs"),
        };
    }

    private static async Task<Dictionary<string, List<string?>>> ScalarsAsync(string file)
    {
        await using var reader = await ParquetReader.CreateAsync(Path.Combine(Folder, file));
        var columns = new Dictionary<string, List<string?>>();
        foreach (var field in reader.Schema.GetDataFields())
            columns[field.Name] = [.. (await ReadAsync(reader, field)).Select(text => text == "-" ? null : text)];
        return columns;
    }
}
