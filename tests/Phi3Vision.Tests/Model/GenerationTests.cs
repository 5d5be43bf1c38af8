using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;
using Generator = FunctionsPipeline.Phi3Vision.Generator;

namespace FunctionsPipeline.Tests.Phi3Vision;

public sealed class GenerationTests
{
    private static readonly HashSet<int> NoStop = [];

    [Fact]
    public void Prompts_padded_on_the_left_continue_as_they_do_alone()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModel();
        long[] longer = [1, 20, 30, 40, 50, 60], shorter = [1, 70, 80];
        var generator = new Generator(model);
        var together = generator.GreedyBatch(
            new ModelInput(
                torch.tensor((long[])[.. longer, 0, 0, 0, .. shorter], [2L, 6L]),
                torch.tensor(new long[] { 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1 }, [2L, 6L])),
            12, NoStop, CancellationToken.None);
        Assert.Equal(generator.Greedy(Ids(longer), 12, NoStop, CancellationToken.None), together[0]);
        Assert.Equal(generator.Greedy(Ids(shorter), 12, NoStop, CancellationToken.None), together[1]);
    }

    [Fact]
    public void A_stop_token_ends_the_answer_and_is_not_part_of_it()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModel();
        var generator = new Generator(model);
        var tokens = generator.Greedy(Ids(1, 20, 30), 8, NoStop, CancellationToken.None);
        var stop = tokens[^1];
        Assert.Equal(tokens.TakeWhile(token => token != stop), generator.Greedy(Ids(1, 20, 30), 8, new HashSet<int> { stop }, CancellationToken.None));
        Assert.Equal(8, tokens.Count);
    }

    [Fact]
    public void A_prompt_fed_in_parts_gives_the_same_logits()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModel();
        using var noGradients = torch.no_grad();
        using var cache = new KeyValueCache(model, batch: 1, capacity: 8);
        long[] ids = [1, 20, 30, 40, 50, 60, 70, 80];
        var whole = model.forward(Ids(ids));
        var parts = torch.cat([model.forward(Ids(ids[..3]), cache), model.forward(Ids(ids[3..7]), cache), model.forward(Ids(ids[7..]), cache)], dim: 1);
        Assert.True((whole - parts).abs().max().item<float>() < 1e-4);
    }

    [Fact]
    public void A_cancelled_generation_stops()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModel();
        Assert.Throws<OperationCanceledException>(() => new Generator(model).Greedy(Ids(1, 20), 8, NoStop, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Training_and_generation_leave_no_tensor_behind()
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Load("tiny-image");
        var (input, prompt) = (golden.Input, golden.Prompt);
        OnePass();
        golden.Model.zero_grad();
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        OnePass();
        golden.Model.zero_grad();
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);

        void OnePass()
        {
            using (NewDisposeScope())
            {
                golden.Model.forward(input).mean().backward();
            }
            new Generator(golden.Model).Greedy(prompt, 3, NoStop, CancellationToken.None);
        }
    }

    private static ModelInput Ids(params long[] ids) => new(torch.tensor(ids, [1L, ids.Length]));

    private static Phi3VisionModel TinyModel()
    {
        // Larger than usual weights, so that the most likely token depends on the whole prompt.
        var model = new Phi3VisionModel(Presets.Tiny(400) with { InitializerRange = 0.2 });
        Initializer.Initialize(model, seed: 3);
        return model;
    }
}
