using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class ParquetRowsTests
{
    private const int Rows = 120;

    private static readonly ColumnMapping Garments =
        new() { Image = "image", Title = "title", Category = "category", Price = "price", Product = "id" };

    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Rows", "Fixtures"), "arrow-*")
        .Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Every_encoding_compression_and_page_version_gives_the_same_rows(string file)
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture(file), Garments);
        string[] categories = ["coat", "dress", "shirt"];
        var expected = Enumerable.Range(0, Rows).Select(i => new DatasetRow(1000 + i, null, null,
            i % 6 == 0 ? null : $"Garment {i} – {new string('é', i % 4)}".Trim(),
            categories[i % 3], i % 5 == 0 ? null : i * 1.5, $"{i}"));
        Assert.Equal(expected, rows.Select(row => row with { ImageBytes = null }));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => i % 10 == 9 ? null : $"bytes of {i}"),
            rows.Select(row => row.ImageBytes is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null));
    }

    [Fact]
    public async Task Of_a_list_the_first_value_that_is_there_counts()
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture("arrow-v1-dictionary-snappy.parquet"),
            new ColumnMapping { Image = "images", Title = "tags" });
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => i % 7 != 0 && i % 3 == 2 ? $"bytes of {i}" : null),
            rows.Select(row => row.ImageBytes is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => i % 8 != 0 && i % 4 > 0 ? $"tag {i}.0" : null), rows.Select(row => row.Title));
    }

    [Fact]
    public async Task An_image_without_bytes_is_at_its_path()
    {
        var schema = new ParquetSchema(new StructField("image", new DataField<byte[]>("bytes"), new DataField<string>("path")));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, file))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(schema.DataFields[0], new byte[]?[] { [1, 2], null, null });
            await group.WriteAsync(schema.DataFields[1], new[] { "1.jpg", "https://example.com/2.jpg", null });
            group.CompleteValidate();
        }
        var rows = await RowReading.ReadAsync(file.ToArray(), new ColumnMapping());
        Assert.Equal([2, null, null], rows.Select(row => row.ImageBytes?.Length));
        Assert.Equal([null, "https://example.com/2.jpg", null], rows.Select(row => row.ImageUrl));
    }

    [Fact]
    public async Task A_list_of_addresses_gives_the_first()
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture("arrow-v1-dictionary-snappy.parquet"),
            new ColumnMapping { Image = "tags", Title = "id" });
        Assert.Equal([null, "tag 1.0", "tag 2.0"], rows.Take(3).Select(row => row.ImageUrl));
        Assert.All(rows, row => Assert.Null(row.ImageBytes));
    }

    [Theory]
    [InlineData("urls", 2)]
    [InlineData("urls", 9)]
    [InlineData("blobs", 9)]
    [InlineData("structs", 9)]
    public async Task Of_a_list_as_many_images_are_read_as_are_wanted(string column, int most)
    {
        var columns = new ColumnMapping { Image = column, Title = "title" };
        var rows = await RowReading.ReadAsync(RowReading.Fixture("duckdb-lists.parquet"), columns, most);
        // Row i has a list of i % 5 images, of which the second is null; every fifth row has no list. Half of the structs have bytes.
        var expected = Enumerable.Range(0, 40).Select(i => Enumerable.Range(0, i % 5 == 4 ? 0 : i % 5).Where(j => j != 1).Take(most)
            .Select(j => column == "blobs" || (column == "structs" && i % 2 == 0) ? $"bytes {i}-{j}" : $"https://a/{i}-{j}"));
        Assert.Equal(expected, rows.Select(row => new[] { (row.ImageBytes, row.ImageUrl) }.Concat(row.MoreImages)
            .Select(image => image.Item1 is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : image.Item2).OfType<string>()));
        Assert.All(await RowReading.ReadAsync(RowReading.Fixture("duckdb-lists.parquet"), columns), row => Assert.Empty(row.MoreImages));
    }

    [Theory]
    [InlineData("int8", -30, "-30")]
    [InlineData("uint8", 0, "0")]
    [InlineData("int16", -3000, "-3000")]
    [InlineData("uint16", 0, "0")]
    [InlineData("int32", 0, "0")]
    [InlineData("uint32", 4000000000, "4000000000")]
    [InlineData("int64", 0, "0")]
    [InlineData("uint64", 18446744073709551000, "18446744073709551000")]
    [InlineData("float32", 0, "0")]
    [InlineData("float64", 0, "0")]
    [InlineData("decimal32", 0, "0")]
    [InlineData("decimal64", 0, "0")]
    [InlineData("decimal128", 0, "0")]
    public async Task Every_number_is_a_price_and_a_title(string column, double first, string text)
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"),
            new ColumnMapping { Image = "text", Title = column, Price = column });
        Assert.Equal((60, first, text), (rows.Count, rows[0].Price!.Value, rows[0].Title));
        Assert.True(rows[^1].Price > rows[0].Price || column == "uint64");
        Assert.All(rows.Zip(rows.Skip(1)), pair => Assert.True(pair.Second.Price >= pair.First.Price));
    }

    [Theory]
    [InlineData("day", "2024-02-28", "2024-02-29")]
    [InlineData("clock", "28800000000", "28860000000")]
    [InlineData("moment", "2024-02-28T12:30:00", "2024-02-28T12:31:00")]
    [InlineData("millis", "2024-02-28T12:30:00", "2024-02-28T12:30:01")]
    [InlineData("nanos", "2024-02-28T12:30:00", "2024-02-28T12:30:01")]
    [InlineData("uuid", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001")]
    [InlineData("bool", "true", "false")]
    [InlineData("nothing", null, null)]
    public async Task What_is_no_number_is_a_title_all_the_same(string column, string? first, string? second)
    {
        var rows =
            await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"), new ColumnMapping { Image = "text", Title = column });
        Assert.Equal((first, second), (rows[0].Title, rows[1].Title));
    }

    [Fact]
    public async Task Scalars_are_the_same_when_they_are_written_as_differences()
    {
        foreach (var column in (string[])["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64",
            "decimal32", "decimal64", "decimal128", "day", "moment", "millis", "nanos", "uuid", "priced"])
        {
            var mapping = new ColumnMapping { Image = "text", Title = column };
            var plain = await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"), mapping);
            var differences = await RowReading.ReadAsync(RowReading.Fixture("duckdb-v2.parquet"), mapping);
            Assert.Equal((null, 60), (differences[0].Fault, differences.Count));
            Assert.Equal(plain, differences);
        }
    }

    [Fact]
    public async Task A_price_may_be_written_as_text_and_what_is_no_number_keeps_its_text()
    {
        var rows =
            await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"), new ColumnMapping { Image = "text", Price = "priced" });
        Assert.Equal(Enumerable.Range(0, 60).Select(i => i % 3 == 0 ? null : (double?)((i * 10) + 0.5)), rows.Select(row => row.Price));
        rows = await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"), new ColumnMapping { Image = "text", Price = "text" });
        Assert.Equal((double.NaN, "00000000-0000-0000-0000-000000000000"), (rows[0].Price, rows[0].PriceText));
    }

    [Fact]
    public async Task Integers_without_names_and_booleans_are_categories()
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"),
            new ColumnMapping { Image = "text", Category = "uint8" });
        Assert.Equal(["0", "1", "2"], rows.Take(3).Select(row => row.Category));
        rows = await RowReading.ReadAsync(RowReading.Fixture("duckdb-types.parquet"),
            new ColumnMapping { Image = "text", Category = "bool" });
        Assert.Equal(["true", "false"], rows.Take(2).Select(row => row.Category));
    }

    [Theory]
    [InlineData("image", "title", "category", "image", "dataset.columns.price", "struct<bytes: binary, path: string>")]
    [InlineData("id", "title", "category", "price", "dataset.columns.image", "int64")]
    [InlineData("image", "image", "category", "price", "dataset.columns.title", "a title column is")]
    [InlineData("image", "title", "price", "price", "dataset.columns.category", "double")]
    [InlineData("image", "title", "category", "discounted", "dataset.columns.price", "a price column is a number")]
    [InlineData("image", "title", "category", "cost", "dataset.columns.price", "its columns are: id, size")]
    public async Task A_column_that_does_not_fit_is_refused_with_its_type_and_what_would(
        string image, string title, string category, string price, string field, string part)
    {
        var file = RowReading.Fixture("arrow-v1-plain-uncompressed.parquet");
        var mapping = new ColumnMapping { Image = image, Title = title, Category = category, Price = price };
        var e = await Assert.ThrowsAsync<RequestException>(() => RowReading.ReadAsync(file, mapping));
        Assert.Equal(field, e.Field);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_unit_gets_its_own_rows_of_the_groups_it_touches()
    {
        var file = new MemoryStream(RowReading.Fixture("arrow-v1-plain-uncompressed.parquet"));
        var unit = new IngestUnit(1, "train", "0.parquet", FileStart: 1000, Start: 1070, Count: 20);
        Assert.Equal(Enumerable.Range(70, 20).Select(i => $"{i}"),
            (await RowReading.ReadAsync(file, Garments, unit)).Select(row => row.Product));
        var half = new SplitRows(2000, 1000);
        Assert.Equal(Enumerable.Range(1070, 20).Where(i => half.Takes(i)),
            (await RowReading.ReadAsync(file, Garments, unit, half)).Select(row => (int)row.Row));
        await Assert.ThrowsAsync<InvalidDataException>(() => RowReading.ReadAsync(file, Garments, unit with { Count = 60 }));
    }

    [Fact]
    public async Task Only_the_mapped_columns_are_fetched_and_each_once()
    {
        var file = new CountingStream(RowReading.Fixture("arrow-v1-plain-uncompressed.parquet"));
        await RowReading.ReadAsync(file, new ColumnMapping { Image = "title", Price = "price" },
            new IngestUnit(0, "train", "0.parquet", 0, 0, 120));
        await using var parquet = await RowReading.OpenAsync("arrow-v1-plain-uncompressed.parquet");
        var wanted = parquet.Schema.GetDataFields().Where(field => field.Name is "title" or "price");
        var columns = wanted.Sum(field => parquet.SizeOf(0, field) + parquet.SizeOf(1, field));
        // The footer is read with what is before it, up to a guess of 64 KiB.
        Assert.Equal(file.Length + columns, file.BytesRead);
    }

    private sealed class CountingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public long BytesRead { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await base.ReadAsync(buffer, cancellationToken);
            BytesRead += count;
            return count;
        }
    }
}
