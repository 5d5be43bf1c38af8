using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class DatasetColumnsTests
{
    [Fact]
    public async Task Nested_types_are_told_in_words()
    {
        await using var file = await RowReading.OpenAsync("arrow-v1-plain-uncompressed.parquet");
        Assert.Equal(
        [
            ("id", "int64"), ("size", "int32"), ("price", "double"), ("weight", "float"), ("discounted", "bool"), ("title", "string"),
            ("category", "string"), ("image", "struct<bytes: binary, path: string>"), ("tags", "list<string>"),
            ("images", "list<struct<bytes: binary, path: string>>"),
        ], DatasetColumns.Describe(file).Select(column => (column.Name, column.Type)));
    }

    [Fact]
    public async Task Scalars_are_told_with_width_precision_and_unit()
    {
        await using var file = await RowReading.OpenAsync("duckdb-types.parquet");
        var types = DatasetColumns.Describe(file).ToDictionary(column => column.Name, column => column.Type);
        Assert.Equal(
            ("int8", "uint64", "decimal(9,2)", "decimal(28,3)", "date", "timestamp[us]", "timestamp[ms]", "timestamp[ns]", "time[us]", "uuid"),
            (types["int8"], types["uint64"], types["decimal32"], types["decimal128"], types["day"], types["moment"], types["millis"], types["nanos"],
                types["clock"], types["uuid"]));
    }

    [Fact]
    public async Task Half_floats_are_numbers()
    {
        await using var file = await RowReading.OpenAsync("hyparquet-half.parquet");
        Assert.Equal("half", DatasetColumns.Describe(file).Single(column => column.Name == "weight").Type);
        var rows = await RowReading.ReadAsync(RowReading.Fixture("hyparquet-half.parquet"), new ColumnMapping { Image = "url", Price = "weight", Title = "weight" });
        Assert.Equal([(0, "0"), (0.5, "0.5"), (1, "1")], rows.Take(3).Select(row => (row.Price!.Value, row.Title!)));
    }

    [Theory]
    [InlineData("""{"info":{"features":{"c":{"names":["a","b"],"_type":"ClassLabel"}}}}""", "ClassLabel (2 names: a, b)")]
    [InlineData("""{"info":{"features":{"c":{"names":["a","b","c","d"]}}}}""", "ClassLabel (4 names: a, b, c, …)")]
    [InlineData("""{"info":{"features":{"c":{"feature":{"names":["a"],"_type":"ClassLabel"},"_type":"Sequence"}}}}""", "ClassLabel (1 name: a)")]
    [InlineData("""{"features":{"c":[{"_type":"Image"}]}}""", "Image")]
    [InlineData("""{"info":{"features":{"c":{"dtype":"string","_type":"Value"}}}}""", "Value")]
    [InlineData("""{"info":{"features":{"d":{"_type":"Image"}}}}""", null)]
    [InlineData("""{"info":null}""", null)]
    [InlineData("[]", null)]
    [InlineData(null, null)]
    public void Features_are_found_as_the_datasets_library_writes_them(string? metadata, string? feature) =>
        Assert.Equal(feature, DatasetFeatures.Parse(metadata).Of("c")?.ToString());

    [Fact]
    public void Metadata_that_is_no_JSON_is_an_error() =>
        Assert.Contains("huggingface", Assert.Throws<InvalidDataException>(() => DatasetFeatures.Parse("{")).Message, StringComparison.Ordinal);

    [Fact]
    public async Task The_first_rows_are_shown_as_text_whatever_they_are()
    {
        await using var file = await RowReading.OpenAsync("arrow-v1-plain-uncompressed.parquet");
        var rows = await SampleRows.ReadAsync(file, 85, default);
        Assert.Equal(85, rows.Count);
        Assert.Equal("84", rows[84]["id"]);
        Assert.Equal(("Garment 1 – é", "1.5", "embedded, 10 bytes", "tag 1.0", null), (rows[1]["title"], rows[1]["price"], rows[1]["image"], rows[1]["tags"], rows[1]["images"]));
        Assert.Null(rows[9]["image"]);
        Assert.Equal(120, (await SampleRows.ReadAsync(file, 1000, default)).Count);
    }

    [Fact]
    public async Task Long_texts_are_cut_and_a_column_that_is_too_large_to_look_at_shows_its_type()
    {
        var schema = new ParquetSchema(new DataField<string>("text"), new DataField<byte[]>("image"));
        using var stream = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, stream, new ParquetOptions { CompressionMethod = CompressionMethod.None }))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync(schema.DataFields[0], [new string('x', 300)]);
            await group.WriteAsync(schema.DataFields[1], [new byte[9_000_000]]);
            group.CompleteValidate();
        }
        await using var file = await ParquetFile.OpenAsync(stream, default);
        var row = (await SampleRows.ReadAsync(file, 3, default)).Single();
        Assert.Equal((new string('x', 200) + "…", "(binary, 9 MB in a row group)"), (row["text"], row["image"]));
    }
}
