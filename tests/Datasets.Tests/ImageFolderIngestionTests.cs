using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

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
