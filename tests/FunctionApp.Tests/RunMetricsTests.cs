using System.Text.Json;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class RunMetricsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly string _run = $"r-{Guid.NewGuid():N}";

    private RunDocumentStore Store => new(azurite.Blobs, TimeProvider.System);

    private AppendBlobClient Metrics =>
        azurite.Blobs.GetBlobContainerClient(Containers.Runs).GetAppendBlobClient(new RunBlobs(_run).Metrics);

    public async Task InitializeAsync()
    {
        await azurite.Blobs.GetBlobContainerClient(Containers.Runs).CreateIfNotExistsAsync();
        await Store.ClaimAsync(_run, new RunRequest { Run = _run, Dataset = new DatasetRequest { Repo = "samples/garments" } }, default);
        await Metrics.CreateAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1700)]
    [InlineData(1999)]
    [InlineData(2000)]
    [InlineData(3000)]
    public async Task Later_steps_are_those_after_a_step_however_far_back(int after)
    {
        await AppendAsync(0, 2000);
        var lines = await AfterAsync(after);
        Assert.Equal(Enumerable.Range(0, 2001).Where(step => step > after), lines.Select(line => line.Step));
    }

    [Fact]
    public async Task All_lines_of_the_last_step_come_again_for_one_step_less()
    {
        await AppendAsync(0, 5);
        await AppendAsync(Validation(5));
        Assert.Equal([1.0, null], (await AfterAsync(4)).Select(line => line.Loss));
    }

    [Fact]
    public async Task What_is_appended_after_the_version_is_left_for_the_next_one()
    {
        await AppendAsync(0, 5);
        var version = (await Store.VersionAsync(new RunBlobs(_run).Metrics, default))!;
        await AppendAsync(6, 9);
        Assert.Equal(6, (await Store.MetricsAsync(_run, version, null, default)).Split('\n').Length - 1);
        Assert.Equal(9, (await AfterAsync(8))[0].Step);
    }

    [Fact]
    public async Task A_summary_follows_the_metrics_and_forgets_what_was_cut()
    {
        using var summaries = new RunSummaries(Store);
        Assert.Empty((await ReadAsync()).TrainingLoss);
        await AppendAsync(0, 90);
        Assert.Equal(Enumerable.Range(0, 91), (await ReadAsync()).TrainingLoss.Select(point => point.Step));
        await AppendAsync(91, 1000);
        await AppendAsync(Validation(1000));
        var summary = await ReadAsync();
        Assert.InRange(summary.TrainingLoss.Count, 50, 100);
        var steps = summary.TrainingLoss.Select(point => point.Step).ToList();
        Assert.Single(steps.Zip(steps.Skip(1), (a, b) => b - a).Distinct());
        Assert.InRange(steps[^1], 980, 1000);
        Assert.Equal(new CurvePoint(1000, 2), Assert.Single(summary.ValidationLoss));
        // The same curves as when all is read at once.
        using var fresh = new RunSummaries(Store);
        Assert.Equal(summary.TrainingLoss, (await fresh.ReadAsync(_run, await fresh.VersionAsync(_run, default), default))!.TrainingLoss);

        // Times of creation have seconds.
        await Task.Delay(1100);
        await Metrics.DeleteAsync();
        await Metrics.CreateAsync();
        await AppendAsync(0, 9);
        summary = await ReadAsync();
        Assert.Equal((10, 0), (summary.TrainingLoss.Count, summary.ValidationLoss.Count));

        async Task<RunSummary> ReadAsync() =>
            (await summaries.ReadAsync(_run, await summaries.VersionAsync(_run, default), default))!;
    }

    [Fact]
    public async Task Answers_that_few_pass_come_after_a_bounded_amount_of_reading()
    {
        var answer = new EvaluatedAnswer(
            EvaluatedAnswer.BaseModel, Splits.Validation, new SampleLabels("train-1", "5a", "Coat", null, null), new string('a', 2000),
            new Confidence(1, null, null, null));
        var line = JsonSerializer.Serialize(answer, PipelineJson.Compact) + "\n";
        var wanted = JsonSerializer.Serialize(answer with { Model = EvaluatedAnswer.FineTunedModel }, PipelineJson.Compact) + "\n";
        var lines = string.Concat(Enumerable.Repeat(line, 5000).Append(wanted).Append("{\"model\": \"fine-tu"));
        await azurite.Blobs.GetBlobContainerClient(Containers.Runs).UploadBlobAsync(
            new RunBlobs(_run).Predictions, BinaryData.FromString(lines));
        var pages = new List<AnswerPage>();
        for (string? continuation = null; pages.Count == 0 || continuation is not null; continuation = pages[^1].Continuation)
            pages.Add(await Store.AnswersAsync(_run, EvaluatedAnswer.FineTunedModel, null, 10, continuation, default));
        Assert.InRange(pages.Count, 3, 4);
        Assert.Equal(EvaluatedAnswer.FineTunedModel, Assert.Single(pages.SelectMany(page => page.Answers)).Model);
    }

    private async Task<List<MetricsLine>> AfterAsync(int step)
    {
        var version = (await Store.VersionAsync(new RunBlobs(_run).Metrics, default))!;
        var lines = await Store.MetricsAsync(_run, version, step, default);
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!)];
    }

    private static MetricsLine Validation(int step) =>
        new() { Step = step, Epoch = 1, Seconds = 1, Validation = new EvaluationMetrics { Loss = 2, Samples = 1 } };

    private Task AppendAsync(int from, int to) => AppendAsync(
    [
        .. Enumerable.Range(from, to - from + 1)
            .Select(step => new MetricsLine { Step = step, Epoch = 0.5, Seconds = step, Loss = 1.0, LearningRate = 0.001 }),
    ]);

    private async Task AppendAsync(params MetricsLine[] lines)
    {
        var text = string.Concat(lines.Select(line => JsonSerializer.Serialize(line, PipelineJson.Compact) + "\n"));
        await Metrics.AppendBlockAsync(BinaryData.FromString(text).ToStream());
    }
}
