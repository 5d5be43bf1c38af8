using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class PredictionsFileTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("predictions-").FullName;
    private readonly LocalRunStore _store;

    public PredictionsFileTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(10, new[] { "base a", "base b" })]
    [InlineData(null, new string[0])]
    public async Task A_run_that_resumes_keeps_the_base_models_answers_and_repeats_the_others(int? step, string[] kept)
    {
        var first = new PredictionsFile(_store, "r1");
        first.Record(Evaluation(EvaluatedAnswer.BaseModel, "a", "b"));
        await first.FlushAsync(default);
        first.Record(Evaluation(EvaluatedAnswer.FineTunedModel, "c"));
        await first.FlushAsync(default);
        await _store.AppendAsync(Containers.Runs, "r1/predictions.jsonl", "{\"model\":\"fine-tu"u8.ToArray(), default);

        var second = new PredictionsFile(_store, "r1");
        await second.CutAsync(step, default);
        Assert.Equal(kept, await ReadAsync());
        second.Record(Evaluation(EvaluatedAnswer.FineTunedModel, "c"));
        await second.FlushAsync(default);
        Assert.Equal([.. kept, "fine-tuned c"], await ReadAsync());
    }

    private static EvaluationStep Evaluation(string model, params string[] answers) => new(0, Splits.Validation,
    [
        .. answers.Select(answer => new EvaluatedAnswer(
            model, Splits.Validation, new SampleLabels(answer, "00", "t", null, 1), answer, new Confidence(1, 1, null, 1))),
    ]);

    private async Task<IEnumerable<string>> ReadAsync() =>
        System.Text.Encoding.UTF8.GetString(await _store.ReadAsync(Containers.Runs, "r1/predictions.jsonl", default) ?? [])
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<EvaluatedAnswer>(line, PipelineJson.Compact)!)
            .Select(answer => $"{answer.Model} {answer.Answer}");
}
