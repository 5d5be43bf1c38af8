using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.FineTuning.Evaluation;
using FunctionsPipeline.Phi3Vision.Model;

namespace FunctionsPipeline.FineTuning.Tests.Evaluation;

public sealed class SampleAnswersWriterTests : IAsyncLifetime
{
    private static readonly AnswerTemplate Template = new("Category: {category}");
    private static readonly Confidence Rated = new(0.5, null, 0.25, null);

    private readonly string _root = Directory.CreateTempSubdirectory("writer-").FullName;
    private readonly LocalRunStore _store;
    private readonly ShardCache _shards;
    private readonly IReadOnlyList<Sample> _split;
    private readonly IReadOnlyList<Sample> _samples;

    public SampleAnswersWriterTests()
    {
        _store = new LocalRunStore(_root);
        var shard = TarShard.WriteColours(_root, "validation.tar", Splits.Validation, samples: 6);
        _shards = new ShardCache(_store, Path.Combine(_root, "local"), budget: 1 << 20);
        _split = [.. ShardIndex.ReadAsync(_store, [shard], Path.Combine(_root, "indexes"), default).Result[0].Samples
            .Select(content => new Sample(shard, content, Tokens: 400))];
        _samples = Evaluator.SpreadEvenly(_split, 2);
    }

    public async Task DisposeAsync()
    {
        await _shards.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Images_are_kept_as_they_came_beside_what_was_answered_at_each_step()
    {
        var writer = new SampleAnswersWriter(_store, "r1", _samples, _shards, Template);
        await writer.FlushAsync(default);
        Assert.Empty(await _store.ListAsync(Containers.Runs, "", default));

        writer.Record(0, Answers("?", ""));
        await writer.FlushAsync(default);
        var step = writer.Record(10, Answers("Category: Hats", "Category: Hats"));
        Assert.Equal(
            [("validation-0.png", "Category: Hats", "Category: Hats"), ("validation-3.png", "Category: Coats", "Category: Hats")],
            step.Samples.Select(sample => (sample.Image, sample.Truth, sample.Answer)));
        Assert.Equal(10, step.Step);
        Assert.Equal(_shards.ReadImage(_samples[1], default), step.Samples[1].Content);
        await writer.FlushAsync(default);

        Assert.Equal(["validation-0", "validation-3"], _samples.Select(sample => sample.Labels.Key));
        Assert.Equal(_shards.ReadImage(_samples[1], default), File.ReadAllBytes(Path.Combine(_root, "runs/r1/samples/validation-3.png")));
        var read = await ReadAsync();
        Assert.Equal(
            [("validation-0.png", "Category: Hats"), ("validation-3.png", "Category: Coats")],
            read.Select(sample => (sample.Image, sample.Truth)));
        Assert.Equal([new GalleryAnswer(0, "?", Rated), new GalleryAnswer(10, "Category: Hats", Rated)], read[0].Answers);
        Assert.Equal([new GalleryAnswer(0, "", Rated), new GalleryAnswer(10, "Category: Hats", Rated)], read[1].Answers);
    }

    [Fact]
    public async Task A_run_that_goes_on_from_a_checkpoint_keeps_the_answers_up_to_it()
    {
        var first = new SampleAnswersWriter(_store, "r1", _samples, _shards, Template);
        foreach (var step in new[] { 0, 10, 20 }) first.Record(step, Answers($"a{step}", $"b{step}"));
        await first.FlushAsync(default);

        var second = new SampleAnswersWriter(_store, "r1", _samples, _shards, Template);
        await second.RestoreAsync(10, default);
        await second.FlushAsync(default);
        Assert.Equal([0, 10], (await ReadAsync())[0].Answers.Select(answer => answer.Step));
        second.Record(15, Answers("a15", "b15"));
        await second.FlushAsync(default);
        var answers = (await ReadAsync())[1].Answers;
        Assert.Equal(["b0", "b10", "b15"], answers.Select(answer => answer.Answer));
        Assert.All(answers, answer => Assert.Equal(Rated, answer.Confidence));
    }

    [Fact]
    public async Task What_could_not_be_written_is_written_the_next_time()
    {
        var writer = new SampleAnswersWriter(_store, "r1", _samples, _shards, Template);
        writer.Record(0, Answers("a", "b"));
        var obstacle = Path.Combine(_root, "runs");
        File.WriteAllText(obstacle, "in the way");
        await Assert.ThrowsAnyAsync<IOException>(() => writer.FlushAsync(default));
        File.Delete(obstacle);
        await writer.FlushAsync(default);
        Assert.Equal(2, (await ReadAsync()).Count);
    }

    [Fact]
    public void Samples_are_spread_evenly_over_a_split()
    {
        Assert.Equal(_split, Evaluator.SpreadEvenly(_split, 9));
        Assert.Equal([0, 1, 3, 4], Evaluator.SpreadEvenly(_split, 4).Select(sample => _split.ToList().IndexOf(sample)));
        Assert.Empty(Evaluator.SpreadEvenly(_split, 0));
    }

    private static PredictedAnswer[] Answers(params string[] texts) =>
        [.. texts.Select(text => new PredictedAnswer(text, null, new GeneratedAnswer([], true), Rated))];

    private async Task<IReadOnlyList<GallerySample>> ReadAsync() => JsonSerializer.Deserialize<SampleGallery>(
        await _store.ReadAsync(Containers.Runs, new RunBlobs("r1").Samples + SampleGallery.FileName, default),
        PipelineJson.Options)!.Samples;
}
