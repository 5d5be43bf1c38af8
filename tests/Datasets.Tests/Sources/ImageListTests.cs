using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Sources;
using FunctionsPipeline.Tests;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests.Sources;

/// <summary>Cells of tables that refer to several images.</summary>
public sealed class ImageListTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData("a.jpg|b/c.png", "a.jpg", "b/c.png")]
    [InlineData(" a.jpg ; my photo.JPG ;c.webp", "a.jpg", "my photo.JPG", "c.webp")]
    [InlineData("a.jpg, b.jpg", "a.jpg", "b.jpg")]
    [InlineData("a.jpg b.jpg", "a.jpg", "b.jpg")]
    [InlineData("my photo.jpg\r\nb.jpg", "my photo.jpg", "b.jpg")]
    [InlineData("""["a;b.jpg", "c|d, e.png"]""", "a;b.jpg", "c|d, e.png")]
    [InlineData("""["https:\/\/x.example\/1"]""", "https://x.example/1")]
    [InlineData("['a.jpg', 'https://x.example/1']")]
    [InlineData("['a.jpg', 'b.jpg']", "a.jpg", "b.jpg")]
    [InlineData("[a.jpg, b.jpg]", "a.jpg", "b.jpg")]
    [InlineData("['https://x.example/w=1,h=2/a', 'https://x.example/b']", "https://x.example/w=1,h=2/a", "https://x.example/b")]
    [InlineData("https://x.example/1|https://x.example/2.jpg", "https://x.example/1", "https://x.example/2.jpg")]
    [InlineData("https://x.example/a;v=1/b.jpg;https://x.example/2", "https://x.example/a;v=1/b.jpg", "https://x.example/2")]
    [InlineData("http://x.example/1\nhttp://x.example/2", "http://x.example/1", "http://x.example/2")]
    [InlineData("https://x.example/a;b.jpg", "https://x.example/a;b.jpg")]
    [InlineData("https://x.example/c_fill,w_1/a.jpg", "https://x.example/c_fill,w_1/a.jpg")]
    [InlineData("x;v=1/a.jpg", "x;v=1/a.jpg")]
    [InlineData("my photo.jpg", "my photo.jpg")]
    [InlineData("a.jpg - copy.jpg", "a.jpg - copy.jpg")]
    [InlineData("a.jpg|b.jpg|", "a.jpg", "b.jpg")]
    [InlineData("https://x.example/1, ", "https://x.example/1")]
    [InlineData("[]")]
    public void A_cell_is_divided_only_where_each_piece_is_an_image(string cell, params string[] images) =>
        Assert.Equal(images.Length == 0 && cell != "[]" ? null : images, ImageReferences.Of(cell));

    [Theory]
    [InlineData("Shirt; blue")]
    [InlineData("see https://x.example/1 and https://x.example/2")]
    [InlineData("""["new", "blue"]""")]
    [InlineData("[1, 2]")]
    [InlineData(" ")]
    public void Other_texts_are_no_images(string cell) => Assert.Null(ImageReferences.Of(cell));

    [Fact]
    public void A_long_cell_takes_no_longer_for_its_separators()
    {
        var cell = $"a.jpg{new string(' ', 1_000_000)}|{new string('|', 1_000_000)}b.jpg";
        Assert.Equal(["a.jpg", "b.jpg"], ImageReferences.Of(cell));
        Assert.Equal(2, ImageReferences.Of($"https://x.example/1{new string(';', 1_000_000)}https://x.example/2")!.Count);
    }

    [Theory]
    [InlineData("lists-bar.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists-semicolon.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists-space.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists-newline.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists-json.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists-python.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("duckdb-lists.csv", "CSV, 1 file, separator ',', UTF-8, header")]
    [InlineData("lists.jsonl", "JSON lines, 1 file, UTF-8")]
    [InlineData("duckdb-lists.json", "JSON, 1 file, an array of objects")]
    public async Task Lists_that_tools_write_are_lists_of_paths(string table, string form)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync((table, $"tables/{table}"));
        await folder.AddImagesAsync(12);
        var request = folder.Request() with { Images = ImageUse.Samples, ValidationFraction = 0 };

        var inspection = await folder.Ingestion.InspectAsync(request);
        var (report, rows) = await folder.IngestAsync(request);

        Assert.Equal($"{form}, lists of images in photos", inspection.Form);
        Assert.Equal(["list<string>", "string"], inspection.Columns.Select(column => column.Type));
        Assert.Equal(new ColumnMapping { Image = "photos", Title = "title" }, report.Columns);
        Assert.Equal((6, 6, 11), (report.Counts.Rows, report.Counts.Stored, report.Splits[Splits.Train]));
        Assert.Equal(
            Enumerable.Range(0, 5).Select(i => $"images/{i}.png images/{i + 6}.png").Append("images/10.png"),
            rows.Select(row => string.Join(' ', row.Images.Select(image => image.Url))));
    }

    [Fact]
    public async Task A_list_that_appears_late_makes_the_table_be_written_again()
    {
        var rows = Rows(20_000, row => row < 15_000 ? "a.jpg" : "a.jpg|b.jpg");
        using var first = new MemoryStream();
        var attempt = new TableWriter(null, hasImages: false);
        await attempt.WriteAsync(rows.ToAsyncEnumerable(), first, default);
        Assert.False(attempt.IsComplete);

        using var second = new MemoryStream();
        var again = new TableWriter(attempt.Columns, hasImages: false);
        await again.WriteAsync(rows.ToAsyncEnumerable(), second, default);

        Assert.True(again.IsComplete);
        Assert.Equal(["photos"], again.Columns.Lists);
        await using var reader = await ParquetReader.CreateAsync(second);
        Assert.IsType<ListField>(reader.Schema.Fields.Single(field => field.Name == "photos"));
        Assert.Equal(2, reader.RowGroupCount);
    }

    [Fact]
    public async Task A_text_with_a_few_lists_stays_a_text_also_where_it_begins_with_them()
    {
        var rows = Rows(20_000, row => row < 12_000 && row % 2 == 0 ? "a.jpg|b.jpg" : $"Text {row}", withFirst: "a.jpg|b.jpg");
        using var target = new MemoryStream();
        var attempt = new TableWriter(null, hasImages: false);
        await attempt.WriteAsync(rows.ToAsyncEnumerable(), target, default);
        Assert.False(attempt.IsComplete);

        var again = new TableWriter(attempt.Columns, hasImages: false);
        await again.WriteAsync(rows.ToAsyncEnumerable(), target, default);

        Assert.True(again.IsComplete);
        Assert.Empty(again.Columns.Lists);
    }

    private static List<TableRow> Rows(int count, Func<int, string> photos, string? withFirst = null)
    {
        string[] columns = ["photos", "title"];
        return [.. Enumerable.Range(0, count).Select(row =>
            new TableRow(columns, [row <= 1 && withFirst is not null ? withFirst : photos(row), $"Title {row}"]))];
    }
}
