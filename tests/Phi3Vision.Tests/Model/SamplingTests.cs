using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>Filters and draws against the transformers library's definitions, written out here with the engine's own operators.</summary>
public sealed class SamplingTests
{
    private const float Out = float.NegativeInfinity;

    [Fact]
    public void The_penalty_divides_positive_and_multiplies_negative_logits_of_what_was_seen()
    {
        float[] scores = [4, -4, 2, -2, 0];
        ScoreFilters.Penalize(scores, [0, 1, 4], 2);
        Assert.Equal([2, -8, 2, -2, 0], scores);
    }

    [Fact]
    public void Top_k_keeps_what_is_as_likely_as_the_last_one()
    {
        float[] scores = [1, 3, 2, 3, 2, 0];
        ScoreFilters.KeepTopK(scores, 3);
        Assert.Equal([Out, 3, 2, 3, 2, Out], scores);
    }

    [Fact]
    public void Top_p_keeps_the_token_that_crosses_it_and_always_the_most_likely_one()
    {
        var scores = Logs(0.5, 0.1, 0.3, 0.1);
        ScoreFilters.KeepTopP(scores, 0.7);
        Assert.Equal([true, false, true, false], scores.Select(float.IsFinite));
        scores = Logs(0.4, 0.6);
        ScoreFilters.KeepTopP(scores, 0.01);
        Assert.Equal([false, true], scores.Select(float.IsFinite));
    }

    [Theory]
    [InlineData(1, 0.9)]
    [InlineData(7, 0.3)]
    [InlineData(50, 0.99)]
    [InlineData(500, 0.6)]
    public void Filters_keep_what_the_reference_keeps(int k, double p)
    {
        using var scope = NewDisposeScope();
        var random = new Random(k);
        for (var round = 0; round < 20; round++)
        {
            var scores = Enumerable.Range(0, 300).Select(_ => (float)((random.NextDouble() - 0.5) * (1 + round))).ToArray();
            var expected = ReferenceTopP(ReferenceTopK(torch.tensor(scores), k), p).data<float>().ToArray();
            ScoreFilters.KeepTopK(scores, k);
            ScoreFilters.KeepTopP(scores, p);
            Assert.Equal(expected, scores);
        }
    }

    [Fact]
    public void Tokens_are_drawn_as_often_as_their_probabilities_say()
    {
        var sampler = new RowSampler(new GenerationSettings { Temperature = 2, Seed = 1 }, []);
        var drawn = new int[4];
        const int rounds = 40_000;
        // Temperature 2 takes the square root of the ratios: 1, 4, 9, 16 become 1, 2, 3, 4.
        for (var i = 0; i < rounds; i++) drawn[sampler.Choose(Logs(1, 4, 9, 16)).Id]++;
        Assert.Equal([0.1, 0.2, 0.3, 0.4], drawn.Select(count => (double)count / rounds), (a, b) => Math.Abs(a - b) < 0.01);
    }

    [Fact]
    public void The_prompt_counts_as_seen_and_images_do_not()
    {
        var settings = new GenerationSettings { RepetitionPenalty = 3 };
        Assert.Equal(1, new RowSampler(settings, [0, -1, -2]).Choose([3, 2, 1]).Id);
        Assert.Equal(0, new RowSampler(settings, [-1]).Choose([3, 2, 1]).Id);
        var twice = new RowSampler(settings, []);
        Assert.Equal([0, 1], new[] { twice.Choose([3, 2, 1]).Id, twice.Choose([3, 2, 1]).Id });
    }

    [Fact]
    public void The_penalty_comes_before_the_temperature_and_the_filters()
    {
        // Only after the penalty the second token is the most likely one, which is all that top-k 1 keeps.
        var sampler = new RowSampler(new GenerationSettings { Temperature = 0.1, TopK = 1, RepetitionPenalty = 2 }, [0]);
        var (id, logProbability) = sampler.Choose([3, 2]);
        Assert.Equal(1, id);
        Assert.Equal(2 - Math.Log(Math.Exp(3) + Math.Exp(2)), logProbability, 1e-9);
    }

    private static float[] Logs(params double[] probabilities) => [.. probabilities.Select(p => (float)Math.Log(p))];

    private static Tensor ReferenceTopK(Tensor scores, int k)
    {
        var lowest = scores.topk((int)Math.Min(k, scores.shape[0])).values[-1];
        return scores.masked_fill(scores.lt(lowest), Out);
    }

    private static Tensor ReferenceTopP(Tensor scores, double p)
    {
        var (sorted, indices) = scores.sort(0, descending: false);
        var remove = sorted.softmax(-1).cumsum(-1).le(1 - p);
        remove[-1] = torch.tensor(false);
        return scores.masked_fill(remove.index_select(0, indices.argsort()), Out);
    }
}
