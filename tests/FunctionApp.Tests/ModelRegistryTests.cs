using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class ModelRegistryTests : IAsyncLifetime
{
    private readonly AzuriteFixture _azurite = new();

    private ModelRegistry Registry => new(_azurite.Blobs);

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        await _azurite.Blobs.CreateBlobContainerAsync(Containers.Models);
        foreach (var run in new[] { "a", "b", "c" })
        {
            await _azurite.Blobs.GetBlobContainerClient(Containers.Models)
                .UploadBlobAsync(BlobNames.ModelComplete(run), BinaryData.FromString("{}"));
        }
    }

    public Task DisposeAsync() => _azurite.DisposeAsync();

    [Fact]
    public async Task The_better_model_serves_in_the_end_however_the_publishers_meet()
    {
        Assert.Null(await Registry.CurrentAsync(default));
        await Task.WhenAll(
            Registry.PublishAsync(Samples.Model("a", 0.7), default),
            Registry.PublishAsync(Samples.Model("b", 0.3), default),
            Registry.PublishAsync(Samples.Model("c", 0.5), default));
        Assert.Equal("b", (await Registry.CurrentAsync(default))!.Version);

        var worse = await Registry.PublishAsync(Samples.Model("a", 0.7), default);
        Assert.False(worse.Published);
        Assert.Equal("b", (await Registry.CurrentAsync(default))!.Version);
    }

    [Fact]
    public async Task Publishing_the_same_run_again_changes_nothing()
    {
        await Registry.PublishAsync(Samples.Model("a", 0.7), default);
        var again = await Registry.PublishAsync(Samples.Model("a", 0.7) with { PublishedAt = DateTimeOffset.MaxValue }, default);
        Assert.True(again.Published);
        Assert.Equal(DateTimeOffset.UnixEpoch, (await Registry.CurrentAsync(default))!.PublishedAt);
    }

    [Fact]
    public async Task Every_change_is_in_the_history_once()
    {
        await Registry.PublishAsync(Samples.Model("a", 0.7), default);
        await Registry.PublishAsync(Samples.Model("a", 0.7), default);
        await Registry.PublishAsync(Samples.Model("b", 0.9), default);
        await Registry.PublishAsync(Samples.Model("b", 0.3), default);
        var active = await Registry.ActivateAsync(Samples.Model("a", 0.7) with { Reason = "prices of „b“ are wrong" }, default);
        Assert.Equal(active, await Registry.ActivateAsync(Samples.Model("a", 0.7) with { Reason = "again" }, default));
        Assert.Equal(active, await Registry.CurrentAsync(default));

        var history = await Registry.HistoryAsync(default);
        Assert.Equal([("a", null), ("b", "a"), ("a", "b")], history.Select(change => (change.Version, change.Before)));
        Assert.Contains("first model", history[0].Reason, StringComparison.Ordinal);
        Assert.Equal("prices of „b“ are wrong", history[^1].Reason);
        Assert.Equal(active.PublishedAt, history[^1].At);
        // The candidates' own times are equal.
        Assert.True(history[0].At < history[1].At && history[1].At < history[2].At);
    }

    [Fact]
    public async Task A_line_that_a_crash_kept_from_the_history_is_added_later()
    {
        var lost = Samples.Model("a", 0.7) with { Reason = "it is the first model" };
        var current = _azurite.Blobs.GetBlobContainerClient(Containers.Models).GetBlobClient(BlobNames.CurrentModel);
        await current.UploadAsync(BinaryData.FromObjectAsJson(lost, PipelineJson.Options));
        await Registry.PublishAsync(Samples.Model("a", 0.7), default);
        Assert.Equal(["a"], (await Registry.HistoryAsync(default)).Select(change => change.Version));

        var again = Samples.Model("b", 0.6) with { Reason = "better", PublishedAt = DateTimeOffset.UnixEpoch.AddDays(1), Before = "a" };
        await current.UploadAsync(BinaryData.FromObjectAsJson(again, PipelineJson.Options), overwrite: true);
        await Registry.PublishAsync(Samples.Model("c", 0.5), default);
        Assert.Equal(["a", "b", "c"], (await Registry.HistoryAsync(default)).Select(change => change.Version));
    }

    [Fact]
    public async Task Changes_at_the_same_time_are_all_in_the_history_in_their_order()
    {
        var versions = new[] { "a", "b", "c" };
        await Task.WhenAll(versions.Select(
            version => Registry.ActivateAsync(Samples.Model(version, 1) with { Reason = $"{version} it is" }, default)));
        var history = await Registry.HistoryAsync(default);
        Assert.Equal(versions, history.Select(change => change.Version).Order());
        Assert.Equal(history.Select(change => change.Version), history.Skip(1).Select(change => change.Before)
            .Append((await Registry.CurrentAsync(default))!.Version));
    }

    [Fact]
    public async Task A_model_whose_folder_is_not_whole_is_not_published()
    {
        await Assert.ThrowsAsync<PermanentFailureException>(() => Registry.PublishAsync(Samples.Model("unfinished", 0.1), default));
        Assert.Null(await Registry.CurrentAsync(default));
    }
}

public class PublishRuleTests
{
    [Fact]
    public void The_first_model_serves() => Assert.True(PublishRule.Decide(null, Samples.Model("a", 9)).Published);

    [Theory]
    [InlineData(0.4, true)]
    [InlineData(0.5, true)]
    [InlineData(0.6, false)]
    public void On_the_same_data_a_model_serves_when_its_loss_is_no_worse(double loss, bool serves)
    {
        var decision = PublishRule.Decide(Samples.Model("a", 0.5), Samples.Model("b", loss));
        Assert.Equal(serves, decision.Published);
        Assert.Contains("0.5", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Losses_on_different_data_are_not_compared() =>
        Assert.True(PublishRule.Decide(Samples.Model("a", 0.1, "x/1/v"), Samples.Model("b", 3, "y/1/v")).Published);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_model_without_a_finite_loss_never_serves(double loss) =>
        Assert.False(PublishRule.Decide(null, Samples.Model("a", loss)).Published);

    [Fact]
    public void A_run_that_serves_already_keeps_serving() =>
        Assert.True(PublishRule.Decide(Samples.Model("a", 0.5), Samples.Model("a", 0.5)).Published);
}
