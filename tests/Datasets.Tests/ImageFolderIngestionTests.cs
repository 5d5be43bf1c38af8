using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class ImageFolderIngestionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pictures-");

    [Fact]
    public async Task Embedded_images_get_their_label_names_and_the_splits_of_the_dataset()
    {
        Draw(("train", "bag", 4), ("train", "hat", 4), ("validation", "bag", 2), ("validation", "hat", 2));
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName });

        var (_, report) = await harness.IngestAsync(Request(harness));

        Assert.Equal(12, report.Counts.Stored);
        Assert.Equal(new Dictionary<string, long> { ["train"] = 8, ["validation"] = 4 }, report.Splits);
        Assert.Equal(new Dictionary<string, long> { ["bag"] = 6, ["hat"] = 6 }, report.Categories);
    }

    [Fact]
    public async Task A_test_split_stays_one_and_validation_is_cut_from_the_rest()
    {
        Draw(("train", "bag", 12), ("train", "hat", 12), ("test", "bag", 4));
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName });

        var (dataset, report) = await harness.IngestAsync(Request(harness) with { ValidationFraction = 0.4 });

        Assert.Equal(4, report.Splits["test"]);
        Assert.Equal(24, report.Splits["train"] + report.Splits["validation"]);
        Assert.InRange(report.Splits["validation"], 3, 17);
        Assert.All(await harness.RowsAsync(dataset), row => Assert.Equal(row.SourceSplit == "test", row.Split == "test"));
    }

    [Fact]
    public async Task A_row_limit_keeps_the_splits_proportion_and_every_label_of_a_sorted_split()
    {
        Draw(("train", "bag", 12), ("train", "hat", 12), ("train", "shoe", 12), ("validation", "bag", 6), ("validation", "hat", 6));
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName });

        var (dataset, report) = await harness.IngestAsync(Request(harness) with { MaxRows = 16 });

        Assert.Equal(new Dictionary<string, long> { ["train"] = 12, ["validation"] = 4 }, report.Splits);
        var byLabel = (await harness.RowsAsync(dataset)).Where(r => r.Split == "train").CountBy(r => r.Category!).ToDictionary();
        Assert.Equal(new Dictionary<string, int> { ["bag"] = 4, ["hat"] = 4, ["shoe"] = 4 }, byLabel);
    }

    [Fact]
    public async Task A_file_that_is_no_picture_is_rejected_and_the_rest_goes_on()
    {
        Draw(("train", "bag", 3));
        File.WriteAllText(Path.Combine(_folder.FullName, "train", "bag", "0.jpg"), "not a picture");
        File.WriteAllBytes(Path.Combine(_folder.FullName, "train", "bag", "1.jpg"), []);
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName });

        var (_, report) = await harness.IngestAsync(Request(harness));

        Assert.Equal(new Dictionary<string, long> { [Rejection.Empty] = 1, [Rejection.NotAnImage] = 1 }, report.Counts.RejectedBy);
        Assert.Equal(1, report.Counts.Stored);
    }

    [Fact]
    public async Task Units_cover_every_row_of_every_file_once()
    {
        Draw(("train", "bag", 25), ("validation", "bag", 3));
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName },
            new IngestionOptions { UnitRows = 10 });

        var (dataset, _) = await harness.IngestAsync(Request(harness));

        Assert.Equal(2, dataset.Files);
        Assert.Equal(Enumerable.Range(0, 25).Select(i => ("train", (long)i))
            .Concat(Enumerable.Range(0, 3).Select(i => ("validation", (long)i))),
            (await harness.RowsAsync(dataset)).Select(r => (r.SourceSplit, r.Row)));
    }

    [Fact]
    public async Task A_report_warns_of_images_that_look_alike_in_two_splits_also_when_they_were_stored_without_a_hash()
    {
        Draw(("train", "bag", 6), ("validation", "bag", 3));
        // A copy of lower quality of the first image.
        using (var image = Image.Load(Path.Combine(_folder.FullName, "train", "bag", "0.jpg")))
            image.SaveAsJpeg(Path.Combine(_folder.FullName, "validation", "bag", "2.jpg"), new JpegEncoder { Quality = 30 });
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = _folder.FullName });

        var (dataset, report) = await harness.IngestAsync(Request(harness));

        var rows = await harness.RowsAsync(dataset);
        var warning = Assert.Single(report.Warnings!, warning => warning.Kind == QualityProblem.NearDuplicates);
        var pair = Assert.Single(warning.Pairs!, pair => (pair.First, pair.Second) == ("train/0", "validation/2"));
        Assert.Equal((rows[0].Sha256, rows[8].Sha256), (pair.FirstSha256, pair.SecondSha256));

        // Without metadata a blob is like one of a version that computed no hashes.
        foreach (var row in rows)
            await harness.Container.GetBlobClient(dataset.Blobs.Image(row.Sha256!)).SetMetadataAsync(new Dictionary<string, string>());
        var (other, again) = await harness.IngestAsync(Request(harness) with { MaxRows = 9, ValidationFraction = 0.3 });

        Assert.NotEqual(dataset.Blobs.View, other.Blobs.View);
        Assert.Equal(rows.Select(row => row.PerceptualHash), (await harness.RowsAsync(other)).Select(row => row.PerceptualHash));
        Assert.All(rows, row => Assert.Equal(16, row.PerceptualHash!.Length));
        Assert.Equal(warning.Message, Assert.Single(again.Warnings!, warning => warning.Kind == QualityProblem.NearDuplicates).Message);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static DatasetRequest Request(IngestionHarness harness) => new()
    {
        Repo = harness.Hub.Dataset,
        Columns = new ColumnMapping { Image = "image", Category = "label" },
        TestFraction = 0,
    };

    private void Draw(params (string Split, string Label, int Count)[] pictures)
    {
        foreach (var (split, label, count) in pictures)
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, split, label)).FullName;
            for (var i = 0; i < count; i++)
            {
                File.WriteAllBytes(Path.Combine(folder, $"{i}.jpg"),
                    GarmentPainter.Jpeg(Garment.All[i], new Random((1000 * split.Length) + (100 * label[0]) + i)));
            }
        }
    }
}
