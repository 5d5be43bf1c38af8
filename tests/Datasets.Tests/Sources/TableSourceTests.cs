using System.Text;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

public sealed class TableSourceTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData("semicolon-1252.csv", 12, "CSV, 1 file, separator ';', Windows-1252, header, decimal comma")]
    [InlineData("tab-utf16.tsv", 6, "CSV, 1 file, separator tab, UTF-16 LE, header")]
    [InlineData("comma-bom.csv", 6, "CSV, 1 file, separator ',', UTF-8, header")]
    public async Task Separator_and_encoding_are_found_and_quoted_fields_keep_their_line_breaks(string table, int rows, string form)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync((table, $"2026/{table}"));
        await folder.AddImagesAsync(rows, "2026/");
        var request = folder.Request("2026");

        var inspection = await folder.Ingestion.InspectAsync(request);
        var (report, ingested) = await folder.IngestAsync(request);

        Assert.Equal(form, inspection.Form);
        Assert.Equal(["image", "title", "category", "brand", "colour", "price"], inspection.Columns.Select(column => column.Name));
        Assert.Equal(new ColumnMapping { Image = "image", Title = "title", Category = "category", Price = "price" }, report.Columns);
        Assert.Equal(($"{folder.Container.Name}/2026", rows, rows), (report.Repo, report.Counts.Rows, report.Counts.Stored));
        Assert.Equal(["Größe L, Café € 0", "A 5\" wide belt 1", "In two\nlines 2"], ingested.Take(3).Select(row => row.Title!));
        Assert.Equal(("coat", 10.5, "images/0.png"), (ingested[0].Category, ingested[0].Price!.Value, ingested[0].ImageUrl));
    }

    [Fact]
    public async Task A_table_without_a_header_gets_numbered_columns()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("no-header.csv", "no-header.csv"));
        await folder.AddImagesAsync(6);
        var request = folder.Request(columns: new ColumnMapping { Image = "column1", Category = "column2", Title = "column3" });

        var inspection = await folder.Ingestion.InspectAsync(request);
        var (report, rows) = await folder.IngestAsync(request);

        Assert.Equal("CSV, 1 file, separator ',', UTF-8, no header: columns column1 to column3", inspection.Form);
        Assert.Equal(6, report.Counts.Stored);
        Assert.Equal(("Shirt number 5", "shirt"), (rows[5].Title, rows[5].Category));
    }

    [Fact]
    public async Task Rows_with_a_wrong_number_of_fields_are_rejected_with_their_line_and_the_rest_is_read()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("ragged.csv", "ragged.csv"));
        await folder.AddImagesAsync(6);

        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal((5, 3), (report.Counts.Rows, report.Counts.Stored));
        Assert.Equal(
            [(Rejection.UnreadableRow, "line 4: 4 fields instead of 6"), (Rejection.UnreadableRow, "line 6: 7 fields instead of 6")],
            rows.Where(row => row.State == RowState.Rejected).Select(row => (row.Reason!, row.Detail!)));
    }

    [Theory]
    [InlineData("duckdb-train.csv", "duckdb-test.csv", "CSV, 2 files, separator ',', UTF-8, header")]
    [InlineData("duckdb.jsonl", null, "JSON lines, 1 file, UTF-8")]
    [InlineData("duckdb-array.json", null, "JSON, 1 file, an array of objects")]
    [InlineData("duckdb.parquet", null, null)]
    public async Task Tables_that_duckdb_wrote_are_read_in_every_form(string table, string? test, string? form)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync((table, table));
        if (test is not null) await folder.AddAsync((test, test));
        await folder.AddImagesAsync(12);

        var inspection = await folder.Ingestion.InspectAsync(folder.Request());
        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal(form, inspection.Form);
        Assert.Equal((12, 12), (report.Counts.Rows, report.Counts.Stored));
        Assert.Equal(test is null ? 0 : 3, rows.Count(row => row.Split == Splits.Test));
        var last = rows.Single(row => row.ImageUrl == "images/11.png");
        Assert.Equal(("Garment \"11\", new", "shirt", 15.5), (last.Title, last.Category, last.Price!.Value));
    }

    [Fact]
    public async Task A_json_list_keeps_columns_that_appear_late_and_joins_lists()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("array.json", "data/array.json"));
        await folder.AddImagesAsync(4);
        var request = folder.Request(columns: new ColumnMapping { Image = "image", Title = "tags", Category = "season" });

        var inspection = await folder.Ingestion.InspectAsync(request);
        var (report, rows) = await folder.IngestAsync(request);

        Assert.Equal(["image", "name", "tags", "price", "more", "season"], inspection.Columns.Select(column => column.Name));
        Assert.Equal("""{"a":1}""", inspection.SampleRows[0]["more"]);
        Assert.Equal(4, report.Counts.Stored);
        Assert.Equal(("new; blue", null, "summer"), (rows[0].Title, rows[3].Title, rows[3].Category));
    }

    [Theory]
    [InlineData("array-utf-16.json", "JSON, 1 file, an array of objects, UTF-16 LE")]
    [InlineData("array-utf-8-sig.json", "JSON, 1 file, an array of objects")]
    public async Task A_json_list_is_read_in_the_encoding_that_its_byte_order_mark_says(string table, string form)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync((table, table));
        await folder.AddImagesAsync(3);

        var inspection = await folder.Ingestion.InspectAsync(folder.Request());
        var (_, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal(form, inspection.Form);
        Assert.Equal(["Größe 0 €", "Größe 1 €", "Größe 2 €"], rows.Select(row => row.Title));
    }

    [Fact]
    public async Task Lists_as_in_coco_and_json_lines_are_read_in_utf_16_too()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("coco-utf-16.json", "coco/labels.json"), ("images/0.png", "coco/images/0.png"));
        await folder.AddImagesAsync(1, "lines/");
        await folder.Container.GetBlobClient("lines/rows.jsonl").UploadAsync(BinaryData.FromBytes(
            [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("""{"image": "images/0.png", "label": "Mäntel"}""")]));

        foreach (var (prefix, form) in new[]
        {
            ("coco", "JSON, 1 file, images, annotations and categories as in COCO, UTF-16 LE"), ("lines", "JSON lines, 1 file, UTF-16 LE"),
        })
        {
            var inspection = await folder.Ingestion.InspectAsync(folder.Request(prefix));
            var (_, rows) = await folder.IngestAsync(folder.Request(prefix));

            Assert.Equal(form, inspection.Form);
            Assert.Equal("Mäntel", Assert.Single(rows).Category);
        }
    }

    [Fact]
    public async Task Azure_ml_references_to_the_same_container_become_paths()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        var text = File.ReadAllText(SourceFolder.PathOf("azureml.jsonl")).Replace("PREFIX", "labels", StringComparison.Ordinal);
        var https = $$"""{"image_url": "{{folder.Container.Uri}}/labels/images/4.png", "label": "hat"}""";
        await folder.AddTextAsync("labels/azureml.jsonl", $"{text}{https}\n");
        await folder.AddImagesAsync(5, "labels/");

        var (report, rows) = await folder.IngestAsync(folder.Request("labels/"));

        Assert.Equal(5, report.Counts.Stored);
        Assert.Equal(("image_url", "label"), (report.Columns.Image, report.Columns.Category));
        Assert.Equal("hat", rows[4].Category);
    }

    [Fact]
    public async Task Coco_gives_the_category_of_the_largest_annotation()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("coco.json", "coco.json"));
        await folder.AddAsync([.. Enumerable.Range(0, 3).Select(i => ($"images/{i}.png", $"{i}.png"))]);

        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal(["dress", "coat", null], rows.Select(row => row.Category));
        Assert.Equal(new Dictionary<string, long> { [Rejection.NoLabel] = 1 }, report.Counts.RejectedBy);
    }

    [Fact]
    public async Task References_that_lead_elsewhere_are_rejected_and_missing_files_are_not_found()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddImagesAsync(1);
        await folder.AddImagesAsync(1, "a/");
        await folder.AddTextAsync("a/tables/rows.csv", $"""
            image,category
            ../images/0.png,from the table's folder
            images/0.png,from the root
            ./tables/../images/0.png,from the root again
            ../../images/0.png,out of the folder
            /images/0.png,absolute
            C:\images\0.png,absolute too
            images\0.png,of another system
            images/1.png,missing
            {folder.Container.Uri}/images/0.png,out of the folder by URL
            ,none
            """);

        var (report, rows) = await folder.IngestAsync(folder.Request("a"));

        Assert.Equal(
            [null, null, null, Rejection.BadUrl, Rejection.BadUrl, Rejection.BadUrl, null, Rejection.NotFound, Rejection.BadUrl,
                Rejection.NoImage],
            rows.Select(row => row.Reason));
        Assert.Equal(10, report.Counts.Rows);
        Assert.Contains($"leads out of {folder.Container.Name}/a/", rows[3].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_image_makes_another_commit_and_is_read_again()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("no-header.csv", "t.csv"));
        await folder.AddImagesAsync(6);
        var request = folder.Request(columns: new ColumnMapping { Image = "column1", Category = "column2" });
        var (first, before) = await folder.IngestAsync(request);
        await folder.AddAsync(("images/9.png", "images/0.png"));

        var (second, after) = await folder.IngestAsync(request);
        var (third, _) = await folder.IngestAsync(request);

        Assert.NotEqual(first.Commit, second.Commit);
        Assert.Equal((second.Commit, second.View), (third.Commit, third.View));
        Assert.NotEqual(before[0].Sha256, after[0].Sha256);
        Assert.Equal(before[1].Sha256, after[1].Sha256);
    }

    [Fact]
    public async Task Any_number_of_tables_is_kept_in_parts_of_which_a_conversion_reads_the_one_with_its_table()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await Parallel.ForAsync(0, IngestPlan.PartSize + 2, async (i, _) =>
            await folder.AddTextAsync($"{i:D3}.csv", i == IngestPlan.PartSize ? "image,category\nx.png,coat\n" : ""));
        var request = folder.Request();
        var tables = await folder.Ingestion.FindTablesAsync(request);
        using var restarted = folder.Harness.Restarted();

        await restarted.ConvertTableAsync(tables.Dataset, IngestPlan.PartSize);
        var empty = await Assert.ThrowsAsync<RequestException>(() => restarted.ConvertTableAsync(tables.Dataset, IngestPlan.PartSize + 1));

        Assert.Equal(IngestPlan.PartSize + 2, tables.Count);
        Assert.Equal(tables, await restarted.FindTablesAsync(request));
        Assert.Contains($"{IngestPlan.PartSize + 1}.csv", empty.Message, StringComparison.Ordinal);
        Assert.Equal(
            [tables.Dataset.PlannedTables(0), tables.Dataset.PlannedTables(1)], Names($"{tables.Dataset.ViewPrefix}/"));
        Assert.Single(Names(tables.Dataset.File("")));

        IEnumerable<string> Names(string prefix) =>
            folder.Harness.Container.GetBlobs(new GetBlobsOptions { Prefix = prefix }).Select(blob => blob.Name);
    }

    [Fact]
    public async Task An_image_that_changes_after_the_plan_is_rejected()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("no-header.csv", "t.csv"));
        await folder.AddImagesAsync(6);
        var request = folder.Request(columns: new ColumnMapping { Image = "column1", Category = "column2" });
        await IngestionHarness.ConvertAsync(folder.Ingestion, request);
        var dataset = await folder.Ingestion.ResolveAsync(request);
        // Times of blobs are in seconds.
        await Task.Delay(1100);
        await folder.AddAsync(("images/9.png", "images/0.png"));

        var report = await folder.Harness.CarryOutAsync(dataset);

        Assert.Equal(new Dictionary<string, long> { [Rejection.Changed] = 1 }, report.Counts.RejectedBy);
        // The pinned commit has a plan, so that the ingestion can be resumed although the files are others now.
        Assert.Equal(dataset.Blobs, (await folder.Ingestion.ResolveAsync(request with { Revision = dataset.Blobs.Commit })).Blobs);
    }
}
