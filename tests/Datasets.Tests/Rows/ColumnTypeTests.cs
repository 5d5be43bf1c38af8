using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class ColumnTypeTests
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
        ], file.DescribeColumns().Select(column => (column.Name, column.Type)));
    }

    [Fact]
    public async Task Scalars_are_told_with_width_precision_and_unit()
    {
        await using var file = await RowReading.OpenAsync("duckdb-types.parquet");
        var types = file.DescribeColumns().ToDictionary(column => column.Name, column => column.Type);
        Assert.Equal(
            ("int8", "uint64", "decimal(9,2)", "decimal(28,3)", "date",
                "timestamp[us]", "timestamp[ms]", "timestamp[ns]", "time[us]", "uuid"),
            (types["int8"], types["uint64"], types["decimal32"], types["decimal128"], types["day"],
                types["moment"], types["millis"], types["nanos"], types["clock"], types["uuid"]));
    }

    [Fact]
    public async Task Half_floats_are_numbers()
    {
        await using var file = await RowReading.OpenAsync("hyparquet-half.parquet");
        Assert.Equal("half", file.DescribeColumns().Single(column => column.Name == "weight").Type);
        var rows = await RowReading.ReadAsync(RowReading.Fixture("hyparquet-half.parquet"),
            new ColumnMapping { Image = "url", Price = "weight", Title = "weight" });
        Assert.Equal([(0, "0"), (0.5, "0.5"), (1, "1")], rows.Take(3).Select(row => (row.Price!.Value, row.Title!)));
    }

    [Theory]
    [InlineData("""{"info":{"features":{"c":{"names":["a","b"],"_type":"ClassLabel"}}}}""", "ClassLabel (2 names: a, b)")]
    [InlineData("""{"info":{"features":{"c":{"names":["a","b","c","d"]}}}}""", "ClassLabel (4 names: a, b, c, …)")]
    [InlineData("""{"info":{"features":{"c":{"feature":{"names":["a"],"_type":"ClassLabel"},"_type":"Sequence"}}}}""",
        "ClassLabel (1 name: a)")]
    [InlineData("""{"features":{"c":[{"_type":"Image"}]}}""", "Image")]
    [InlineData("""{"info":{"features":{"c":{"dtype":"string","_type":"Value"}}}}""", "Value")]
    [InlineData("""{"info":{"features":{"d":{"_type":"Image"}}}}""", null)]
    [InlineData("""{"info":null}""", null)]
    [InlineData("[]", null)]
    [InlineData(null, null)]
    public void Features_are_found_as_the_datasets_library_writes_them(string? metadata, string? feature) =>
        Assert.Equal(feature, FeatureMetadata.Parse(metadata).Of("c")?.ToString());

    [Fact]
    public void Metadata_that_is_no_JSON_is_an_error() =>
        Assert.Contains("huggingface", Assert.Throws<InvalidDataException>(() => FeatureMetadata.Parse("{")).Message,
            StringComparison.Ordinal);
}

public sealed class PriceTextTests
{
    [Theory]
    [InlineData("12.50", 12.5)]
    [InlineData("$1,290.00", 1290)]
    [InlineData("1290 USD", 1290)]
    [InlineData(" USD 1290 ", 1290)]
    [InlineData("US$ 5", 5)]
    [InlineData("€.99", 0.99)]
    [InlineData("12 £", 12)]
    [InlineData("-3", -3)]
    [InlineData("- $3", -3)]
    [InlineData("1,234,567", 1234567)]
    [InlineData("1e3", 1000)]
    public void A_number_with_or_without_a_currency_is_a_price(string text, double price) => Assert.Equal(price, PriceText.Parse(text));

    [Theory]
    [InlineData("N.A.")]
    [InlineData("12,50")]
    [InlineData("1.290,00 €")]
    [InlineData("from 12")]
    [InlineData("12-15")]
    [InlineData("1,2345")]
    public void Anything_else_is_no_number_rather_than_a_wrong_one(string text) => Assert.Equal(double.NaN, PriceText.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    public void A_blank_is_no_price_at_all(string text) => Assert.Null(PriceText.Parse(text));
}
