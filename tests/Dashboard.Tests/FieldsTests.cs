using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.LocalHost.Demo;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Fields besides title, category and price, and the quality of a dataset, in documents that the tests store.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class FieldsTests(DashboardFixture stack)
{
    private static readonly DatasetBlobs Dataset = new("samples/fields", new string('f', 40), "0123456789abcdef");

    [BrowserFact]
    public async Task A_dataset_shows_its_fields_what_spoils_it_and_which_rows_can_be_read_again()
    {
        var images = await Task.WhenAll(stack.Images.Take(2).Select(StoreImageAsync));
        await StoreDatasetAsync(images[0], images[1]);
        await stack.VisitAsync($"/datasets/{Dataset.Repo}/{Dataset.Commit}/{Dataset.View}", async visit =>
        {
            var page = visit.Page;
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Brand" })).ToContainTextAsync("Acme");
            await Expect(page.GetByRole(AriaRole.Img, new() { Name = "Weight, g" })).ToBeVisibleAsync();
            var quality = page.GetByRole(AriaRole.Region, new() { Name = "Quality" });
            await Expect(quality).ToContainTextAsync("Gather them under one name");
            await Expect(quality).ToContainTextAsync("Differ in 3 of 64 bits");
            var pair = quality.GetByRole(AriaRole.Img);
            await Expect(pair).ToHaveCountAsync(2);
            await visit.AssertLoadedAsync(pair);
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Healed by a second try" })).ToContainTextAsync("timeout1 (50 %)");
            var row = page.GetByRole(AriaRole.List, new() { Name = "Rows" }).GetByRole(AriaRole.Listitem).First;
            await Expect(row).ToContainTextAsync("Acme red; blue 80");
            // Its own image and one more, which are fetched when they come near the screen.
            await row.ScrollIntoViewIfNeededAsync();
            await Expect(row.Locator("img")).ToHaveCountAsync(2);
            await visit.AssertUsableAsync();

            await page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
            var dialog = page.GetByRole(AriaRole.Dialog);
            await Expect(dialog.GetByRole(AriaRole.Checkbox, new() { Name = "timeout 1 row" })).ToBeCheckedAsync();
            await Expect(dialog.GetByRole(AriaRole.Checkbox, new() { Name = "corrupt 2 rows" })).Not.ToBeCheckedAsync();
            await visit.AssertUsableAsync();
        });
    }

    [BrowserFact]
    public async Task An_upload_shows_its_fields_with_their_confidence()
    {
        const string Name = "fields/bag.jpg";
        await StoreDocumentAsync(Name);
        await stack.VisitAsync("/uploads?prefix=fields/", async visit =>
        {
            var page = visit.Page;
            var row = page.GetByRole(AriaRole.Link).Filter(new() { HasText = Name });
            await Expect(row).ToContainTextAsync("Acme");
            await row.ClickAsync();
            var answer = page.GetByRole(AriaRole.Region, new() { Name = "Answer", Exact = true });
            await Expect(answer).ToContainTextAsync("red; blue");
            await Expect(answer.GetByRole(AriaRole.Region, new() { Name = "Confidence" })).ToContainTextAsync("Brand");
            await page.GetByRole(AriaRole.Button, new() { Name = "Correct the answer" }).ClickAsync();
            await Expect(page.GetByLabel("Weight")).ToHaveValueAsync("80");
            await Expect(page.GetByLabel("Colours")).ToHaveValueAsync("red; blue");
            await visit.AssertUsableAsync();
        });
    }

    [BrowserFact]
    public async Task Errors_are_shown_by_field()
    {
        const string Run = "fields";
        await stack.StartCancelledRunAsync(Run);
        await StoreAnswersAsync(Run);
        await stack.VisitAsync($"/runs/{Run}/errors", async visit =>
        {
            var page = visit.Page;
            var fields = page.GetByRole(AriaRole.Group, new() { Name = "Field" });
            await Expect(fields.GetByRole(AriaRole.Radio)).ToHaveCountAsync(3);
            await page.GetByRole(AriaRole.Button, new() { Name = "10 of 30 Acme answered as Bolt" }).ClickAsync();
            await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("Weight: 80 g");
            await page.Keyboard.PressAsync("Escape");
            await fields.GetByLabel("Weight").CheckAsync();
            await Expect(page.GetByRole(AriaRole.Img, new() { Name = "true weight of 30 samples" })).ToBeVisibleAsync();
            await visit.AssertDrawnAsync(page.Locator("canvas"));
            await visit.AssertUsableAsync();
            await fields.GetByLabel("Colours").CheckAsync();
            await Expect(page.GetByText("Mean item F1")).ToBeVisibleAsync();
        });
    }

    private async Task<string> StoreImageAsync(HeldOutImage image)
    {
        var bytes = await File.ReadAllBytesAsync(stack.PathOf(image));
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        await Container(Containers.Datasets).GetBlobClient(Dataset.Image(sha256)).UploadAsync(BinaryData.FromBytes(bytes), overwrite: true);
        return sha256;
    }

    private async Task StoreDatasetAsync(string first, string second)
    {
        ManifestRow Row(long row, RowState state, string? reason = null) => new()
        {
            Row = row,
            SourceSplit = Splits.Train,
            Split = Splits.Train,
            State = state,
            Reason = reason,
            Sha256 = reason is null ? first : null,
            MoreImages = reason is null ? [new RowImage(second, 1, 1, 1, null)] : null,
            Title = "Bag",
            Fields = Values("Acme", 80, "red", "blue"),
        };
        ManifestRow[] rows =
        [
            Row(0, RowState.Stored), Row(1, RowState.Rejected, Rejection.Timeout), Row(2, RowState.Rejected, Rejection.Corrupt),
            Row(3, RowState.Rejected, Rejection.Corrupt),
        ];
        await new ManifestStore(Container(Containers.Datasets)).WriteAsync(Dataset.Manifest(Splits.Train, 0), rows, CancellationToken.None);
        var report = new IngestReport
        {
            Repo = Dataset.Repo,
            Commit = Dataset.Commit,
            View = Dataset.View,
            Columns = new ColumnMapping(),
            Counts = rows.Aggregate(new RowCounts(), (sum, row) => sum + ManifestStore.Count(row)),
            Splits = new Dictionary<string, long> { [Splits.Train] = 1 },
            Categories = new Dictionary<string, long>(),
            Fields = new Dictionary<string, FieldSummary>
            {
                ["brand"] = new(FieldKind.Category, null, 1) { Values = new Dictionary<string, long> { ["Acme"] = 1 }, ValueCount = 1 },
                ["weight"] = new(FieldKind.Number, "g", 1) { Numbers = new Distribution(80, 80, 80, [new DistributionBin(50, 100, 1)]) },
            },
            Warnings =
            [
                new QualityWarning(QualityProblem.SingleLabels, "One brand appears once. Gather them under one name.", 1)
                {
                    Examples = ["Acme"],
                },
                new QualityWarning(QualityProblem.NearDuplicates, "One pair of images is in two splits. Name the product's column.", 1)
                {
                    Pairs = [new NearDuplicate("train/0", Splits.Train, first, "train/7", Splits.Validation, second, 3)],
                },
            ],
            Retry = new RetriedRows("fedcba9876543210", [Rejection.Timeout], 2, new Dictionary<string, long> { [Rejection.Timeout] = 1 }),
            Seconds = 1,
        };
        await StoreAsync(Containers.Datasets, Dataset.Report, report);
    }

    private async Task StoreDocumentAsync(string image)
    {
        var prediction = new Prediction
        {
            Status = PredictionStatus.Predicted,
            Answer = "Product: Bag, Brand: Acme, Colours: red; blue, Weight: 80 g",
            Title = "Bag",
            Fields = Values("Acme", 80, "red", "blue"),
            Confidence = new Confidence(0.7, 0.9, null, null)
            {
                Fields = new Dictionary<string, double> { ["brand"] = 0.95, ["colours"] = 0.4, ["weight"] = 0.8 },
            },
            Model = DashboardFixture.FirstRun,
            At = DateTimeOffset.UtcNow,
        };
        var metadata = new Dictionary<string, string>
        {
            ["status"] = $"{prediction.Status}",
            ["imageetag"] = "\"0x1\"",
            ["confidence"] = "0.7",
            ["model"] = prediction.Model,
        };
        var document = new PredictionDocument(prediction, image, metadata["imageetag"]);
        await StoreAsync(Containers.Predictions, BlobNames.Prediction(image), document, metadata);
    }

    private async Task StoreAnswersAsync(string run)
    {
        const int Samples = 30;
        var answers = Enumerable.Range(0, Samples).Select(i => new EvaluatedAnswer(
            EvaluatedAnswer.FineTunedModel, Splits.Validation,
            new SampleLabels($"train-{i}", new string('0', 64), null, null, null) { Fields = Values("Acme", 80 + i, "red", "blue") },
            "", new Confidence(0.5, null, null, null) { Fields = new Dictionary<string, double> { ["brand"] = i / (double)Samples } })
        {
            Fields = Values(i % 3 == 0 ? "Bolt" : "Acme", 80 + i / 2, "red"),
        });
        var text = string.Concat(answers.Select(answer => JsonSerializer.Serialize(answer, PipelineJson.Compact) + "\n"));
        await Container(Containers.Runs).GetBlobClient(new RunBlobs(run).Predictions)
            .UploadAsync(BinaryData.FromString(text), overwrite: true);
        FieldMetrics Measured(FieldKind kind, string? unit = null) => new(kind, unit, Samples, new FieldFigures());
        var metrics = new EvaluationMetrics
        {
            Loss = 1,
            Samples = Samples,
            Generated = Samples,
            Fields = new Dictionary<string, FieldMetrics>
            {
                ["brand"] = Measured(FieldKind.Category) with
                {
                    Confusion = [new ConfusionRow("Acme", new Dictionary<string, int> { ["Acme"] = 20, ["Bolt"] = 10 })],
                },
                ["colours"] = Measured(FieldKind.List),
                ["weight"] = Measured(FieldKind.Number, "g"),
            },
        };
        var result = new TrainingResult { Run = run, Succeeded = true, FineTuned = metrics };
        await StoreAsync(Containers.Runs, new RunBlobs(run).Result, result);
    }

    private static FieldValues Values(string brand, double weight, params string[] colours) => new(
    [
        new("brand", new FieldValue(brand)), new("colours", new FieldValue(colours)), new("weight", new FieldValue(weight)),
    ]);

    private BlobContainerClient Container(string name) => stack.Blobs.GetBlobContainerClient(name);

    private Task StoreAsync<T>(string container, string name, T document, Dictionary<string, string>? metadata = null) =>
        Container(container).GetBlobClient(name).UploadAsync(
            BinaryData.FromObjectAsJson(document, PipelineJson.Options),
            new BlobUploadOptions { Metadata = metadata });
}
