using FunctionsPipeline.Tests;

namespace FunctionsPipeline.SampleData.Tests;

public sealed class ImageFolderTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("image-folder-");

    [Fact]
    public void A_limit_keeps_the_proportion_of_the_splits_and_what_is_taken_does_not_depend_on_the_order_of_files()
    {
        Touch("train/a", 60);
        Touch("train/b", 60);
        Touch("validation/a", 30);
        Touch("validation/b", 30);

        var folder = ImageFolder.Open(_folder.FullName, rows: 30, holdBack: 4, seed: 1);

        Assert.Equal(30, folder.Images.Count);
        Assert.InRange(folder.Images.Count(p => p.Split == "validation"), 9, 11);
        Assert.Equal(folder.Images.OrderBy(p => p.Path, StringComparer.Ordinal), folder.Images);
        Assert.Equal(["a", "b"], folder.Labels);
        Assert.Equal(["a", "a", "b", "b"], folder.HeldOut.Select(p => p.Label).Order());
        Assert.Equal(folder.Images, ImageFolder.Open(_folder.FullName, 30, 4, 1).Images);
        Assert.NotEqual(folder.Images, ImageFolder.Open(_folder.FullName, 30, 4, 2).Images);
    }

    [Fact]
    public void Folders_that_are_no_splits_are_labels_of_one_split()
    {
        Touch("a", 2);
        Touch("b", 2);
        var folder = ImageFolder.Open(_folder.FullName, null, 0, 0);
        Assert.Equal(["train"], folder.Images.Select(p => p.Split).Distinct());
        Assert.Equal(["a", "b"], folder.Labels);
    }

    [Fact]
    public void A_folder_without_pictures_says_what_was_expected()
    {
        var failure = Assert.Throws<InvalidDataException>(() => ImageFolder.Open(_folder.FullName, null, 0, 0));
        Assert.Contains("{split}/{label}/", failure.Message, StringComparison.Ordinal);
    }

    [TestDataFact("data/clothing")]
    public void The_clothing_photographs_have_ten_labels_and_two_splits()
    {
        var folder = ImageFolder.Open(TestData.Path("data/clothing"), rows: 100, holdBack: 10, seed: 0);
        Assert.Equal(10, folder.Labels.Count);
        Assert.Equal(10, folder.HeldOut.Select(p => p.Label).Distinct().Count());
        Assert.Equal(["train", "validation"], folder.Images.Select(p => p.Split).Distinct().Order());
        Assert.Empty(folder.Images.Intersect(folder.HeldOut));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private void Touch(string path, int count)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, path)).FullName;
        for (var i = 0; i < count; i++) File.WriteAllBytes(Path.Combine(folder, $"{i}.jpg"), []);
    }
}
