using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class TextGeneratorTests : IDisposable
{
    private static readonly GenerationSettings Greedy = new() { MaxTokens = 12 };
    private static readonly GenerationSettings Sampled =
        new() { MaxTokens = 12, Temperature = 0.9, TopK = 60, TopP = 0.95, RepetitionPenalty = 1.1 };

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Phi3VisionModel _model = TinyModel.Create();
    private readonly TextGenerator _generator;

    public TextGeneratorTests() => _generator = new TextGenerator(_model);

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Prompts_padded_on_the_left_continue_as_they_do_alone(bool sampled)
    {
        long[] longer = [1, 20, 30, 40, 50, 60], shorter = [1, 70, 80];
        var settings = sampled ? Sampled : Greedy;
        var together = _generator.Generate(TinyModel.LeftPadded(longer, shorter), settings, default);
        Assert.Equal(Continue(settings, longer).Ids, together[0].Ids);
        Assert.Equal(Continue(settings, shorter).Ids, together[1].Ids);
        // Without what is drawn for one row having an influence on the other.
        var swapped = _generator.Generate(TinyModel.LeftPadded(shorter, longer), settings, default);
        Assert.Equal(together[0].Ids, swapped[1].Ids);
    }

    [Fact]
    public void A_stop_token_ends_the_answer_and_is_not_part_of_it()
    {
        var whole = Continue(Greedy with { MaxTokens = 8 }, 1, 20, 30);
        Assert.Equal(8, whole.Tokens.Count);
        Assert.False(whole.Stopped);
        var stop = whole.Tokens[^1].Id;
        var ended = Continue(Greedy with { MaxTokens = 8, StopTokens = new HashSet<int> { stop } }, 1, 20, 30);
        Assert.Equal(whole.Ids.TakeWhile(id => id != stop), ended.Ids);
        Assert.True(ended.Stopped);
    }

    [Fact]
    public void A_row_that_has_ended_leaves_the_others_alone()
    {
        long[] first = [1, 20, 30], second = [1, 70, 80];
        var alone = Continue(Greedy, second);
        var stop = Continue(Greedy, first).Tokens[0].Id;
        Assert.DoesNotContain(stop, alone.Ids);
        var together = _generator.Generate(
            TinyModel.LeftPadded(first, second), Greedy with { StopTokens = new HashSet<int> { stop } }, default);
        Assert.Empty(together[0].Tokens);
        Assert.Equal(alone.Ids, together[1].Ids);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_token_comes_with_the_probability_that_the_model_gave_it(bool sampled)
    {
        long[] prompt = [1, 20, 30];
        var answer = Continue(sampled ? Sampled : Greedy, prompt);
        using var noGradients = torch.no_grad();
        var logits = _model.forward(TinyModel.Ids([.. prompt, .. answer.Ids.Select(id => (long)id)]));
        foreach (var (token, i) in answer.Tokens.Select((token, i) => (token, i)))
        {
            var expected = logits[0, prompt.Length - 1 + i].log_softmax(-1)[token.Id].item<float>();
            Assert.Equal(expected, token.LogProbability, 1e-4);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_constraint_leaves_each_row_its_tokens_and_the_probabilities_as_they_are(bool sampled)
    {
        long[][] prompts = [[1, 20, 30, 40], [1, 70]];
        var settings = (sampled ? Sampled with { TopK = 0, TopP = 1 } : Greedy) with { Constraint = new Remainders(7) };
        var answers = _generator.Generate(TinyModel.LeftPadded(prompts), settings, default);
        using var noGradients = torch.no_grad();
        foreach (var (answer, prompt) in answers.Zip(prompts))
        {
            Assert.Equal(Enumerable.Range(0, 12).Select(i => i % 7), answer.Ids.Select(id => id % 7));
            var logits = _model.forward(TinyModel.Ids([.. prompt, .. answer.Ids.Select(id => (long)id)]));
            foreach (var (token, i) in answer.Tokens.Select((token, i) => (token, i)))
                Assert.Equal(logits[0, prompt.Length - 1 + i].log_softmax(-1)[token.Id].item<float>(), token.LogProbability, 1e-4);
        }
        Assert.NotEqual(answers[0].Ids, answers[1].Ids);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_constraint_that_allows_everything_changes_nothing(bool sampled)
    {
        var settings = sampled ? Sampled : Greedy;
        var constrained = settings with { Constraint = new Remainders(1) };
        Assert.Equal(Continue(settings, 1, 20, 30).Tokens, Continue(constrained, 1, 20, 30).Tokens);
    }

    [Fact]
    public void The_same_seed_draws_the_same_tokens_and_another_one_others()
    {
        var first = Continue(Sampled with { Seed = 5 }, 1, 20, 30).Ids.ToList();
        Assert.Equal(first, Continue(Sampled with { Seed = 5 }, 1, 20, 30).Ids);
        Assert.NotEqual(first, Continue(Sampled with { Seed = 6 }, 1, 20, 30).Ids);
        Assert.NotEqual(first, Continue(Greedy, 1, 20, 30).Ids);
    }

    [Fact]
    public void The_one_most_likely_token_is_drawn_whatever_the_seed() =>
        Assert.Equal(Continue(Greedy, 1, 20, 30).Ids, Continue(Greedy with { Temperature = 1.5, TopK = 1, Seed = 3 }, 1, 20, 30).Ids);

    [Fact]
    public void A_strong_penalty_keeps_greedy_generation_from_repeating_anything()
    {
        long[] prompt = [1, 20, 30];
        var tokens = Continue(Greedy with { RepetitionPenalty = 1e6 }, prompt).Ids.ToList();
        Assert.Equal(tokens.Count, tokens.Distinct().Count());
        Assert.Empty(tokens.Intersect(prompt.Select(id => (int)id)));
    }

    [Fact]
    public void A_prompt_fed_in_parts_gives_the_same_logits()
    {
        using var noGradients = torch.no_grad();
        using var cache = new KeyValueCache(_model, batch: 1, capacity: 8);
        long[] ids = [1, 20, 30, 40, 50, 60, 70, 80];
        var whole = _model.forward(TinyModel.Ids(ids));
        var parts = torch.cat(
            [
                _model.forward(TinyModel.Ids(ids[..3]), cache),
                _model.forward(TinyModel.Ids(ids[3..7]), cache),
                _model.forward(TinyModel.Ids(ids[7..]), cache),
            ],
            dim: 1);
        Close.Assert(whole, parts, 1e-4);
    }

    [Fact]
    public void A_cancelled_generation_stops() =>
        Assert.Throws<OperationCanceledException>(() =>
            _generator.Generate(TinyModel.Ids(1, 20), Greedy, new CancellationToken(canceled: true)));

    [Fact]
    public void Prompts_padded_on_the_right_are_refused()
    {
        var right = TinyModel.Ids(1, 20, 0) with { AttentionMask = torch.tensor(new long[] { 1, 1, 0 }, [1L, 3L]) };
        Assert.Contains("padded on the left", Assert.Throws<ArgumentException>(() => _generator.Generate(right, Greedy, default)).Message);
    }

    [Fact]
    public void A_session_wants_its_prompts_first_and_a_token_for_every_row()
    {
        using var session = new DecodingSession(_model, TinyModel.Ids(1, 20), maxTokens: 2);
        Assert.Throws<InvalidOperationException>(() => session.Next([5]));
        session.Start();
        Assert.Throws<InvalidOperationException>(session.Start);
        Assert.Throws<ArgumentException>(() => session.Next([5, 6]));
        session.Next([5]);
        Assert.Contains("room for 3", Assert.Throws<ArgumentException>(() => session.Next([5])).Message);
    }

    private GeneratedAnswer Continue(GenerationSettings settings, params long[] prompt) =>
        _generator.Generate(TinyModel.Ids(prompt), settings, default)[0];
}

public sealed class StreamingTests : IDisposable
{
    private static readonly GenerationSettings Settings = new() { MaxTokens = 10 };
    private readonly Phi3VisionModel _model = TinyModel.Create();

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(0.8)]
    public async Task The_stream_has_the_tokens_that_are_generated_at_once_step_by_step(double temperature)
    {
        using var prompts = new OwnedPrompts([1, 20, 30, 40], [1, 70]);
        var settings = Settings with { Temperature = temperature };
        var atOnce = new TextGenerator(_model).Generate(prompts.Input, settings with { StopTokens = new HashSet<int>() }, default);
        settings = settings with { StopTokens = new HashSet<int> { atOnce[0].Tokens[4].Id } };
        atOnce = new TextGenerator(_model).Generate(prompts.Input, settings, default);
        var streamed = new List<GeneratedToken>();
        await foreach (var token in new TextGenerator(_model).StreamAsync(prompts.Input, settings)) streamed.Add(token);
        Assert.Equal(atOnce.SelectMany(row => row.Tokens).Count(), streamed.Count);
        Assert.All(atOnce, (row, i) => Assert.Equal(row.Tokens, streamed.Where(token => token.Row == i)));
        Assert.Equal([0, 1, 0, 1], streamed.Take(4).Select(token => token.Row));
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_ends()
    {
        using var prompts = new OwnedPrompts([1, 20]);
        using var cancellationSource = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var settings = Settings with { MaxTokens = 100_000 };
            await foreach (var _ in new TextGenerator(_model).StreamAsync(prompts.Input, settings, cancellationSource.Token))
                if (++seen == 3) await cancellationSource.CancelAsync();
        });
        Assert.InRange(seen, 3, 5);
    }

    [Fact]
    public async Task A_token_given_to_the_enumeration_cancels_too()
    {
        using var prompts = new OwnedPrompts([1, 20]);
        using var cancellationSource = new CancellationTokenSource();
        await cancellationSource.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var tokens = new TextGenerator(_model).StreamAsync(prompts.Input, Settings);
            await foreach (var _ in tokens.WithCancellation(cancellationSource.Token)) { }
        });
    }

    [Fact]
    public async Task What_goes_wrong_while_computing_reaches_the_reader()
    {
        using var prompts = new OwnedPrompts([1, 4000]);
        var error = await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            await foreach (var _ in new TextGenerator(_model).StreamAsync(prompts.Input, Settings)) { }
        });
        Assert.Contains("vocabulary", error.Message);
    }

    [Fact]
    public void Settings_are_checked_before_anything_is_enumerated()
    {
        using var prompts = new OwnedPrompts([1]);
        Assert.Throws<ArgumentException>(() =>
            new TextGenerator(_model).StreamAsync(prompts.Input, new GenerationSettings { MaxTokens = 0 }));
    }
}

/// <summary>Prompts outside of any dispose scope: scopes belong to a thread, and a test that awaits may change it.</summary>
internal sealed class OwnedPrompts(params long[][] rows) : IDisposable
{
    public ModelInput Input { get; } = Detached(rows);

    public void Dispose()
    {
        Input.InputIds.Dispose();
        Input.AttentionMask?.Dispose();
    }

    private static ModelInput Detached(long[][] rows)
    {
        using var scope = NewDisposeScope();
        var input = TinyModel.LeftPadded(rows);
        scope.Detach(input.InputIds, input.AttentionMask!);
        return input;
    }
}

/// <summary>Allows the ids whose remainder by the divisor is that of their place in the answer.</summary>
file sealed class Remainders(int divisor) : ITokenConstraint
{
    public IConstrainedAnswer Begin(int maxTokens) => new Row(divisor);

    private sealed class Row(int divisor) : IConstrainedAnswer
    {
        private int _tokens;

        public void Allow(Span<bool> forbidden)
        {
            for (var id = _tokens % divisor; id < forbidden.Length; id += divisor) forbidden[id] = false;
        }

        public void Add(int id) => _tokens++;
    }
}
