using System.Formats.Tar;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

public sealed class FolderSourceTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Folders_are_splits_and_labels()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("images/0.png", "train/coat/0.png"), ("images/1.png", "train/hat/1.png"), ("images/2.png", "val/hat/2.png"),
            ("images/3.png", "test/coat/3.png"), ("images/4.png", ".hidden/coat/4.png"));

        var inspection = await folder.Ingestion.InspectAsync(folder.Request());
        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal("image folder, 4 images", inspection.Form);
        Assert.Equal(new Dictionary<string, long> { ["test"] = 1, ["train"] = 2, ["validation"] = 1 }, report.Splits);
        Assert.Equal(new Dictionary<string, long> { ["coat"] = 2, ["hat"] = 2 }, report.Categories);
        Assert.Equal(["test/coat/3.png", "train/coat/0.png", "train/hat/1.png", "val/hat/2.png"],
            rows.Select(row => row.ImageUrl).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Files_that_are_not_read_are_told()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("images/0.png", "coat/0.png"), ("images/1.png", "coat/1.HEIC"), ("images/2.png", "coat/2.heic"));
        foreach (var name in new[] { "stock.xlsx", "README.md", "LICENSE" }) await folder.AddTextAsync(name, "text");

        var inspection = await folder.Ingestion.InspectAsync(folder.Request());

        Assert.Equal("image folder, 1 image, not read: 2 *.heic, 1 *.xlsx", inspection.Form);
    }

    [Fact]
    public async Task Metadata_adds_columns_and_names_images_that_are_missing()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("metadata.csv", "p/train/metadata.csv"), ("images/0.png", "p/train/coat/0.png"),
            ("images/1.png", "p/train/hat/1.png"), ("images/2.png", "p/train/hat/2.png"));

        var (report, rows) = await folder.IngestAsync(folder.Request("p"));

        Assert.Equal(new ColumnMapping { Image = "image", Title = "title", Category = "label", Price = "price" }, report.Columns);
        Assert.Equal([("A coat", "coat", 10.0), ("A hat", "hat", 20.0), (null, "hat", null), ("Not there", "hat", 30.0)],
            rows.Select(row => (row.Title, row.Category!, row.Price)));
        Assert.Equal([null, null, null, Rejection.NotFound], rows.Select(row => row.Reason));
    }

    [Fact]
    public async Task A_folder_without_labels_has_nothing_to_learn()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("images/0.png", "train/0.png"));

        var refusal = await Assert.ThrowsAsync<RequestException>(() => folder.Ingestion.CheckAsync(folder.Request()));

        Assert.Contains("nothing to learn", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tar_of_samples_gives_images_labels_and_members_and_names_the_sample_that_is_damaged()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddAsync(("gnu.tar", "gnu-train.tar"));

        var inspection = await folder.Ingestion.InspectAsync(folder.Request());
        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal("WebDataset, 1 file", inspection.Form);
        Assert.Equal(["image", "__key__", "label", "title", "price"], inspection.Columns.Select(column => column.Name));
        Assert.Equal((6, 5), (report.Counts.Rows, report.Counts.Stored));
        Assert.Equal(("Item 4", "dress", 4.5), (rows[4].Title, rows[4].Category, rows[4].Price!.Value));
        Assert.Equal(Rejection.UnreadableRow, rows[5].Reason);
        Assert.Contains("item5.json is no JSON", rows[5].Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8000)]
    [InlineData(9250)]
    public async Task A_tar_that_was_cut_in_a_header_or_in_a_file_keeps_the_samples_before_the_cut(int length)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        var tar = File.ReadAllBytes(SourceFolder.PathOf("gnu.tar"));
        await folder.Container.GetBlobClient("cut.tar").UploadAsync(BinaryData.FromBytes(tar[..length]));

        var (report, rows) = await folder.IngestAsync(folder.Request());

        Assert.True(report.Counts.Stored > 0);
        Assert.Contains("the tar is damaged after", rows[^1].Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sample_of_a_tar_without_an_image_is_rejected_as_such()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        using var tar = new MemoryStream();
        await using (var writer = new TarWriter(tar, leaveOpen: true))
        {
            await writer.WriteEntryAsync(SourceFolder.PathOf("images/0.png"), "a.png");
            foreach (var sample in new[] { "a", "b" })
            {
                await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, $"{sample}.txt")
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes("Red Hat")),
                });
            }
        }
        await folder.Container.GetBlobClient("samples.tar").UploadAsync(BinaryData.FromBytes(tar.ToArray()));

        var (_, rows) = await folder.IngestAsync(folder.Request());

        Assert.Equal([null, Rejection.NoImage], rows.Select(row => row.Reason));
    }
}
