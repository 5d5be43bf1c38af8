using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class ColumnGuessTests
{
    private const string ImageType = "struct<bytes: binary, path: string>";

    [Fact]
    public void The_columns_of_a_catalog_are_found_the_most_specific_category_among_them()
    {
        var columns = Columns("website_name:string competence_date:string country_code:string currency_code:string brand:string "
            + "category1_code:string category2_code:string category3_code:string product_code:int64 title:string itemurl:string "
            + "imageurl:string full_price:double price:double full_price_eur:double price_eur:double flg_discount:int64");
        var guess = ColumnGuess.From(columns,
            [Row(("itemurl", "https://example.com/1"), ("imageurl", "N.A.")), Row(("imageurl", "https://img.example.com/2"))]);
        Assert.Equal(new ColumnMapping
        {
            Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price", Product = "product_code",
        }, guess.Columns);
        Assert.Null(guess.Problem);
        Assert.Equal("imageurl: a string column whose name says image, with URLs", guess.Reasons["image"]);
        Assert.Equal("full_price: a double column of that name", guess.Reasons["price"]);
    }

    [Fact]
    public void Features_go_before_types_and_types_before_names()
    {
        var guess = ColumnGuess.From(
            [new("image_url", "string", null), new("photo", ImageType, null), new("shot", ImageType, "Image"),
                new("category", "string", null), new("kind", "int64", "ClassLabel (2 names: a, b)")], []);
        Assert.Equal(("shot", "kind"), (guess.Columns.Image, guess.Columns.Category));
        Assert.Equal("shot: its feature is Image", guess.Reasons["image"]);
        guess = ColumnGuess.From([new("image_url", "string", null), new("photo", ImageType, null), new("label", "int64", null)], []);
        Assert.Equal("photo", guess.Columns.Image);
    }

    [Theory]
    [InlineData("image:string label:int64", "image", null, "label", null, null)]
    [InlineData("link:string caption:string", "link", "caption", null, null, null)]
    [InlineData("img:binary name:string", "img", "name", null, null, null)]
    [InlineData("pictures:list<string> productDisplayName:string masterCategory:string subCategory:string articleType:string id:int64",
        "pictures", "productDisplayName", "subCategory", null, null)]
    [InlineData("image:string text:string Price_USD:decimal(10,2) SKU:string", "image", "text", null, "Price_USD", "SKU")]
    [InlineData("image:string amount:string title:list<string>", "image", "title", null, null, null)]
    [InlineData("Bild:string Artikel-Nr.:string Bezeichnung:string Warengruppe:string Preis:double Marke:string",
        "Bild", "Bezeichnung", "Warengruppe", "Preis", "Artikel-Nr.")]
    [InlineData("référence:string libellé:string catégorie:string prix:double photo:string",
        "photo", "libellé", "catégorie", "prix", "référence")]
    public void Names_decide_where_nothing_else_does(string columns, string image, string? title, string? category, string? price,
        string? product)
    {
        var guess = ColumnGuess.From(Columns(columns), []);
        Assert.Equal((image, title, category, price, product),
            (guess.Columns.Image, guess.Columns.Title, guess.Columns.Category, guess.Columns.Price, guess.Columns.Product));
        Assert.Null(guess.Problem);
    }

    [Fact]
    public void Values_tell_addresses_from_file_names_and_prices_from_other_texts()
    {
        var columns = Columns("image:string url:string price:string title:string");
        var guess = ColumnGuess.From(columns, [Row(("image", "0001.jpg"), ("url", "http://example.com/1"), ("price", "$12.50"))]);
        Assert.Equal(("url", "price"), (guess.Columns.Image, guess.Columns.Price));
        guess = ColumnGuess.From(columns, [Row(("image", "0001.jpg"), ("url", "n/a"), ("price", "on request"))]);
        // Names of files are taken where there are no URLs: they may be files of the dataset.
        Assert.Equal(("image", null), (guess.Columns.Image, guess.Columns.Price));
    }

    [Fact]
    public void Without_anything_to_learn_the_guess_says_so()
    {
        var guess = ColumnGuess.From([new("image", ImageType, "Image"), new("width", "int64", null)], []);
        Assert.StartsWith("no column looks like a title", guess.Problem, StringComparison.Ordinal);
        Assert.Equal("image", guess.Columns.Image);
    }

    [Fact]
    public async Task The_first_rows_are_shown_as_text_whatever_they_are()
    {
        await using var file = await RowReading.OpenAsync("arrow-v1-plain-uncompressed.parquet");
        var rows = await SampleRows.ReadAsync(file, 85, default);
        Assert.Equal(85, rows.Count);
        Assert.Equal("84", rows[84]["id"]);
        Assert.Equal(("Garment 1 – é", "1.5", "embedded, 10 bytes", "tag 1.0", null),
            (rows[1]["title"], rows[1]["price"], rows[1]["image"], rows[1]["tags"], rows[1]["images"]));
        Assert.Null(rows[9]["image"]);
        Assert.Equal(120, (await SampleRows.ReadAsync(file, 1000, default)).Count);
    }

    [Fact]
    public async Task Long_texts_are_cut_and_a_column_that_is_too_large_to_look_at_shows_its_type()
    {
        var schema = new ParquetSchema(new DataField<string>("text"), new DataField<byte[]>("image"));
        using var stream = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(
            schema, stream, new ParquetOptions { CompressionMethod = CompressionMethod.None }))
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

    private static List<ColumnInfo> Columns(string columns) =>
        [.. columns.Split(' ').Select(column => column.Split(':')).Select(parts => new ColumnInfo(parts[0], parts[1], null))];

    private static Dictionary<string, string?> Row(params (string Column, string Value)[] values) =>
        values.ToDictionary(pair => pair.Column, pair => (string?)pair.Value);
}
