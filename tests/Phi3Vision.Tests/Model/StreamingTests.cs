using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;
using Generator = FunctionsPipeline.Phi3Vision.Generator;

namespace FunctionsPipeline.Tests.Phi3Vision;

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
        var atOnce = new Generator(_model).Generate(prompts.Input, settings with { StopTokens = new HashSet<int>() }, default);
        settings = settings with { StopTokens = new HashSet<int> { atOnce[0].Tokens[4].Id } };
        atOnce = new Generator(_model).Generate(prompts.Input, settings, default);
        var streamed = new List<GeneratedToken>();
        await foreach (var token in new Generator(_model).StreamAsync(prompts.Input, settings)) streamed.Add(token);
        Assert.Equal(atOnce.SelectMany(row => row.Tokens).Count(), streamed.Count);
        Assert.All(atOnce, (row, i) => Assert.Equal(row.Tokens, streamed.Where(token => token.Row == i)));
        Assert.Equal([0, 1, 0, 1], streamed.Take(4).Select(token => token.Row));
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_ends()
    {
        using var prompts = new OwnedPrompts([1, 20]);
        using var cancellationToken = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in new Generator(_model).StreamAsync(prompts.Input, Settings with { MaxTokens = 100_000 }, cancellationToken.Token))
                if (++seen == 3) await cancellationToken.CancelAsync();
        });
        Assert.InRange(seen, 3, 5);
    }

    [Fact]
    public async Task A_token_given_to_the_enumeration_cancels_too()
    {
        using var prompts = new OwnedPrompts([1, 20]);
        using var cancellationToken = new CancellationTokenSource();
        await cancellationToken.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in new Generator(_model).StreamAsync(prompts.Input, Settings).WithCancellation(cancellationToken.Token)) { }
        });
    }

    [Fact]
    public async Task What_goes_wrong_while_computing_reaches_the_reader()
    {
        using var prompts = new OwnedPrompts([1, 4000]);
        var error = await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            await foreach (var _ in new Generator(_model).StreamAsync(prompts.Input, Settings)) { }
        });
        Assert.Contains("vocabulary", error.Message);
    }

    [Fact]
    public void Settings_are_checked_before_anything_is_enumerated()
    {
        using var prompts = new OwnedPrompts([1]);
        Assert.Throws<ArgumentException>(() => new Generator(_model).StreamAsync(prompts.Input, new GenerationSettings { MaxTokens = 0 }));
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
