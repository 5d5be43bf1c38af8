using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class FieldRowsTests
{
    private const int Rows = 120;

    [Theory]
    [InlineData("arrow-v1-dictionary-snappy.parquet")]
    [InlineData("arrow-v1-plain-uncompressed.parquet")]
    public async Task Fields_are_read_by_their_kinds(string file)
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture(file), Mapping(
            ("name", "title", FieldKind.Text, null), ("sale", "discounted", FieldKind.Category, null),
            ("weight", "weight", FieldKind.Number, "kg"), ("tags", "tags", FieldKind.List, null)));
        for (var i = 0; i < Rows; i++)
        {
            var name = i % 6 == 0 ? null : new FieldValue($"Garment {i} – {new string('é', i % 4)}".Trim());
            var sale = i % 11 == 0 ? null : new FieldValue(i % 3 == 0 ? "true" : "false");
            string[] tags = i % 4 == 0 ? [] : i % 4 == 3 ? [$"tag {i}.0", $"tag {i}.2"] : [$"tag {i}.0"];
            var expected = FieldValues.Of(new Dictionary<string, FieldValue?>
            {
                ["name"] = name, ["sale"] = sale, ["weight"] = new(i / 4.0), ["tags"] = tags.Length == 0 ? null : new(tags),
            });
            Assert.Equal((expected, null), (rows[i].Fields, rows[i].Fault));
        }
    }

    [Fact]
    public async Task A_number_that_is_none_rejects_the_row_and_keeps_the_other_fields()
    {
        var rows = await RowReading.ReadAsync(RowReading.Fixture("arrow-v1-plain-uncompressed.parquet"),
            Mapping(("size", "size", FieldKind.Number, null), ("kind", "category", FieldKind.Category, null)));
        for (var i = 0; i < Rows; i++)
        {
            int? size = i % 3 == 0 ? null : (i * 7919 % 1000) - 500;
            Assert.Equal(size < 0 ? $"size: {size} is no number of 0 or more" : null, rows[i].Fault);
            if (size < 0) Assert.Equal(Rejection.BadNumber, rows[i].FaultReason);
            Assert.Equal(size >= 0 ? new FieldValue(size.Value) : null, rows[i].Fields!.GetValueOrDefault("size"));
            Assert.Equal(new FieldValue(((string[])["coat", "dress", "shirt"])[i % 3]), rows[i].Fields!["kind"]);
        }
    }

    [Theory]
    [InlineData("image", FieldKind.Text, "a text column is")]
    [InlineData("price", FieldKind.Category, "a category column is")]
    [InlineData("discounted", FieldKind.Number, "a number column is")]
    [InlineData("images", FieldKind.List, "a list column is")]
    [InlineData("colour", FieldKind.List, "its columns are: id, size")]
    public async Task A_column_that_does_not_fit_its_kind_is_refused(string column, FieldKind kind, string part)
    {
        var e = await Assert.ThrowsAsync<RequestException>(() => RowReading.ReadAsync(
            RowReading.Fixture("arrow-v1-plain-uncompressed.parquet"), Mapping(("other", column, kind, null))));
        Assert.Equal("dataset.columns.fields.other.column", e.Field);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("250 g", "g", 250)]
    [InlineData("250G ", "g", 250)]
    [InlineData("1,250.5", "g", 1250.5)]
    [InlineData("12 EUR", "EUR", 12)]
    [InlineData("EUR 12", "EUR", 12)]
    [InlineData("€12", "EUR", 12)]
    public void A_text_that_ends_in_the_fields_unit_is_a_number(string text, string unit, double number) =>
        Assert.Equal(number, PriceText.Parse(text, unit));

    [Theory]
    [InlineData("250 kg", "g")]
    [InlineData("250 lbs", "g")]
    [InlineData("12 USD", "EUR")]
    [InlineData("g", "g")]
    [InlineData("about 3 g", "g")]
    public void Another_unit_is_no_number_rather_than_a_wrong_one(string text, string unit) =>
        Assert.Equal(double.NaN, PriceText.Parse(text, unit));

    [Theory]
    [InlineData(" Acme\r\nLtd. ", "Acme Ltd.")]
    [InlineData("a; b", "a; b")]
    [InlineData(" \n ", null)]
    public void A_text_is_one_line(string text, string? clean) => Assert.Equal(clean, FieldText.Clean(new FieldValue(text))?.Text);

    [Fact]
    public void Items_of_a_list_are_lines_without_semicolons()
    {
        Assert.Equal(["wool, fine", "a b"], FieldText.Clean(new FieldValue(["wool; fine", "\t", "a\nb"]))!.Items!);
        Assert.Null(FieldText.Clean(new FieldValue(["", " "])));
    }

    private static ColumnMapping Mapping(params (string Name, string Column, FieldKind Kind, string? Unit)[] fields) => new()
    {
        Fields = fields.ToDictionary(f => f.Name, f => new FieldColumn { Column = f.Column, Kind = f.Kind, Unit = f.Unit }),
    };
}
