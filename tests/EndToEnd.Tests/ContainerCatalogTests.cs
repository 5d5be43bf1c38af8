using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>A team's own catalog, a table and images in a container, from the upload to rows, and on to predictions.</summary>
[Collection(nameof(PipelineCollection))]
public sealed class ContainerCatalogTests(PipelineFixture pipeline)
{
    private const int Rows = 120;

    private static readonly TimeSpan PredictionLimit = TimeSpan.FromMinutes(1);
    private static readonly string[] Brands = ["Maison Été", "Größe"];

    [Fact]
    public async Task A_table_in_windows_1252_with_images_by_path_becomes_rows()
    {
        await UploadAsync("catalog-rows");
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var messages = new List<string?>();

        var accepted = await pipeline.Client.StartIngestionAsync(Request("catalog-rows"), limit.Token);
        var report = await pipeline.Client.FollowIngestionAsync(accepted, progress => messages.Add(progress.Message), limit.Token);
        var again = await pipeline.Client.StartIngestionAsync(Request("catalog-rows"), limit.Token);

        Assert.Equal(accepted.Commit, again.Commit);
        Assert.Equal(("catalog-rows/2026", accepted.Commit), (report.Repo, report.Commit));
        Assert.Equal((Rows + 2, Rows), (report.Counts.Rows, report.Counts.Stored + report.Counts.Duplicates));
        Assert.Equal(
            new Dictionary<string, long> { [Rejection.NotFound] = 1, [Rejection.UnreadableRow] = 1 }, report.Counts.RejectedBy);
        var rows = await pipeline.Client.GetRowsAsync(report, limit.Token);
        Assert.Contains(rows, row => row.Title == "Garment 1 – Größe");
        Assert.Contains(rows, row => row.Detail == $"line {Rows + 3}: 2 fields instead of 6");
    }

    [Fact]
    public async Task A_model_that_is_trained_on_the_container_answers_brand_and_colour()
    {
        await UploadAsync("catalog-fields");
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        var request = pipeline.Request() with { Run = "own-catalog", Dataset = Request("catalog-fields") };

        await pipeline.Client.StartRunAsync(
            request with { Training = request.Training with { MaxSteps = 60, MaxAnswerTokens = null } }, limit.Token);
        RunView? last = null;
        await foreach (var view in pipeline.Client.FollowAsync("own-catalog", limit.Token)) last = view;

        Assert.True(last!.RuntimeStatus == "Completed", $"{last.RuntimeStatus}: {last.Error}");
        Assert.Equal(["brand", "colour"], last.Outcome!.Dataset.Fields!.Keys.Order(StringComparer.Ordinal));
        // The model of the fixture's run answers until then, which knows neither field.
        await pipeline.Stack.WaitUntilServedAsync("own-catalog", limit.Token);
        var garment = new GarmentCatalog(0).WithoutDefect(Rows + 1);
        await pipeline.Client.UploadAsync(
            "own/new.jpg", new MemoryStream(new GarmentCatalog(0).Jpeg(garment)), limit.Token);
        var prediction = await pipeline.Client.WaitForPredictionAsync("own/new.jpg", PredictionLimit, limit.Token);
        Assert.Equal(PredictionStatus.Predicted, prediction!.Status);
        Assert.Equal("own-catalog", prediction.Model);
        Assert.True(prediction.Fields?.Count == 2, prediction.Answer);
        // The answers are constrained to values of the training split.
        Assert.Contains(prediction.Fields!["brand"].Text, Brands);
        Assert.Contains(prediction.Fields["colour"].Text, Enum.GetNames<GarmentColour>());
    }

    private static DatasetRequest Request(string container) => new()
    {
        Source = new DatasetSource { Container = container, Prefix = "2026" },
        Columns = new ColumnMapping
        {
            Image = "photo",
            Title = "name",
            Category = "group",
            Price = "price",
            Fields = new Dictionary<string, FieldColumn>
            {
                ["brand"] = new() { Column = "brand", Kind = FieldKind.Category },
                ["colour"] = new() { Column = "colour", Kind = FieldKind.Category },
            },
        },
    };

    private async Task UploadAsync(string name)
    {
        var container = pipeline.Blobs.GetBlobContainerClient(name);
        await container.CreateIfNotExistsAsync();
        var catalog = new GarmentCatalog(0);
        var table = new StringBuilder("photo;name;group;brand;colour;price\r\n");
        for (var i = 0; i < Rows; i++)
        {
            var row = catalog.WithoutDefect(i);
            await container.GetBlobClient($"2026/photos/{i}.jpg").UploadAsync(BinaryData.FromBytes(catalog.Jpeg(row)), overwrite: true);
            table.Append(CultureInfo.InvariantCulture,
                $"photos/{i}.jpg;Garment {i} – {Brands[i % 2]};{row.Garment.Category};{Brands[i % 2]};{row.Garment.Colour};{i},50\r\n");
        }
        table.Append("photos/gone.jpg;Gone;Hats;Größe;Red;1,00\r\nphotos/0.jpg;too few\r\n");
        var bytes = CodePagesEncodingProvider.Instance.GetEncoding(1252)!.GetBytes(table.ToString());
        await container.GetBlobClient("2026/products.csv").UploadAsync(BinaryData.FromBytes(bytes), overwrite: true);
    }
}
