using FunctionsPipeline.Contracts;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

public sealed class SourceErrorTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    public static TheoryData<string[], string, string> Folders => new()
    {
        { [], "dataset.source", "has no files" },
        { ["a.xlsx", "b.zip"], "dataset.source", "no file of a form that is read (Parquet, CSV" },
        { ["a.csv", "b.jsonl"], "dataset.source", "several forms, a.csv (1) and b.jsonl (1): name a folder" },
        { ["a.csv"], "dataset.columns", "no column looks like an image" },
        { ["a.json"], "dataset.source", "a.json is neither an array of objects" },
    };

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task A_folder_that_is_no_dataset_is_refused_with_the_cause(string[] files, string field, string says)
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        foreach (var file in files)
            await folder.AddTextAsync($"x/{file}", file.EndsWith(".json", StringComparison.Ordinal) ? "7" : "name,price\nShirt,7\n");

        var refusal = await Assert.ThrowsAsync<RequestException>(() => folder.Ingestion.CheckAsync(folder.Request("x")));

        Assert.Equal(field, refusal.Field);
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_container_is_named()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        var request = folder.Request() with { Source = new DatasetSource { Container = "nowhere" } };

        var refusal = await Assert.ThrowsAsync<RequestException>(() => folder.Ingestion.CheckAsync(request));

        Assert.Equal(("dataset.source.container", 404), (refusal.Field, refusal.Status));
        Assert.Contains("no container 'nowhere'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tables_with_different_columns_are_named()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddTextAsync("a.csv", "image,category\nx.png,coat\n");
        await folder.AddTextAsync("b.csv", "image,kind\ny.png,coat\n");

        var refusal = await Assert.ThrowsAsync<RequestException>(() => folder.IngestAsync(folder.Request()));

        Assert.Contains("b.csv has no 'category', as a.csv has; it has: image, kind", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_commit_that_the_folder_no_longer_has_is_refused()
    {
        await using var folder = await SourceFolder.CreateAsync(azurite);
        await folder.AddTextAsync("a.csv", "image,category\nx.png,coat\n");
        var pinned = (await folder.Ingestion.CheckAsync(folder.Request())).Pinned;
        await folder.AddTextAsync("a.csv", "image,category\ny.png,coat\n");

        var refusal = await Assert.ThrowsAsync<RequestException>(() => folder.Ingestion.FindTablesAsync(pinned));

        Assert.Equal(("dataset.revision", 409), (refusal.Field, refusal.Status));
    }
}
