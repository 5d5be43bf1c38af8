using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>The count of live tensors is the process's, so that nothing may run beside these tests.</summary>
[CollectionDefinition(nameof(LeakTests), DisableParallelization = true)]
public sealed class LeakCollection;

/// <summary>Every call frees all that it does not return, also on the threads that it started.</summary>
[Collection(nameof(LeakTests))]
public sealed class LeakTests : IDisposable
{
    private static readonly GenerationSettings Greedy = new() { MaxTokens = 4 };
    private static readonly GenerationSettings Sampled = Greedy with { Temperature = 0.8, TopK = 20, TopP = 0.9, RepetitionPenalty = 1.2 };

    private readonly GoldenCase _golden;
    private readonly ModelInput _input;
    private readonly ModelInput _prompt;

    public LeakTests()
    {
        // Not in a scope of the test: scopes belong to a thread, and a test that awaits may change it.
        using var scope = NewDisposeScope();
        _golden = GoldenCase.Load("tiny-image");
        (_input, _prompt) = (_golden.Input, _golden.Prompt);
        scope.Detach(scope.DisposablesView);
    }

    public void Dispose() => _golden.Dispose();

    [Fact]
    public Task A_forward() => LeavesNothing(() =>
    {
        using var noGradients = torch.no_grad();
        _golden.Model.forward(_input).Dispose();
    });

    [Fact]
    public Task A_forward_that_is_traced() => LeavesNothing(() =>
    {
        using var trace = new ForwardTrace();
        _golden.Model.forward(_input, trace: trace).Dispose();
        foreach (var features in _golden.Model.ImageFeatures(_input.PixelValues!, _input.ImageSizes!)) features.Dispose();
    });

    [Fact]
    public Task A_backward() => LeavesNothing(() =>
    {
        using (NewDisposeScope()) _golden.Model.forward(_input).mean().backward();
        _golden.Model.zero_grad();
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task A_forward_on_a_tape(bool backward) => LeavesNothing(() =>
    {
        using (var tape = new ActivationTape())
        using (NewDisposeScope())
        {
            var loss = _golden.Model.forward(_input, tape: tape).mean();
            if (backward) tape.Backward(loss);
        }
        _golden.Model.zero_grad();
    });

    [Fact]
    public Task A_forward_of_a_pack() => LeavesNothing(() =>
    {
        using (NewDisposeScope())
        {
            var ids = torch.arange(3, 13, dtype: ScalarType.Int64).unsqueeze(0);
            _golden.Model.forward(new ModelInput(ids, SegmentLengths: [3, 7])).mean().backward();
        }
        _golden.Model.zero_grad();
    });

    [Fact]
    public Task A_forward_that_is_refused() => LeavesNothing(() =>
        Assert.Throws<ArgumentException>(() => _golden.Model.forward(_input with { PixelValues = null, ImageSizes = null })));

    [Fact]
    public Task A_greedy_generation() => LeavesNothing(() => new TextGenerator(_golden.Model).Generate(_prompt, Greedy, default));

    [Fact]
    public Task A_sampled_generation() => LeavesNothing(() => new TextGenerator(_golden.Model).Generate(_prompt, Sampled, default));

    [Fact]
    public Task A_generation_that_is_cancelled() => LeavesNothing(() =>
        Assert.Throws<OperationCanceledException>(() =>
            new TextGenerator(_golden.Model).Generate(_prompt, Greedy, new CancellationToken(canceled: true))));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_stream_read_to_its_end(bool sampled) => LeavesNothing(async () =>
    {
        await foreach (var _ in new TextGenerator(_golden.Model).StreamAsync(_prompt, sampled ? Sampled : Greedy)) { }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_stream_abandoned_midway(bool sampled) => LeavesNothing(async () =>
    {
        var settings = (sampled ? Sampled : Greedy) with { MaxTokens = 1000 };
        await foreach (var _ in new TextGenerator(_golden.Model).StreamAsync(_prompt, settings)) break;
    });

    [Fact]
    public Task A_stream_cancelled_midway() => LeavesNothing(async () =>
    {
        using var cancellationSource = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var settings = Greedy with { MaxTokens = 1000 };
            await foreach (var _ in new TextGenerator(_golden.Model).StreamAsync(_prompt, settings, cancellationSource.Token))
                await cancellationSource.CancelAsync();
        });
    });

    [Fact]
    public Task A_stream_that_fails() => LeavesNothing(async () =>
        await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            var withoutImages = _prompt with { PixelValues = null, ImageSizes = null };
            await foreach (var _ in new TextGenerator(_golden.Model).StreamAsync(withoutImages, Greedy)) { }
        }));

    [Fact]
    public Task Adapters_and_what_they_compute() => LeavesOnlyCounts(() =>
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, new LoraSettings { Dropout = 0.1, Projector = true }, seed: 1);
        using (NewDisposeScope()) _golden.Model.forward(_input).mean().backward();
        using (torch.no_grad()) _golden.Model.forward(_input).Dispose();
        adapters.Merge();
        _golden.Model.zero_grad();
        return adapters.Parameters.Count();
    });

    [Fact]
    public Task Adapters_that_do_not_fit()
    {
        using var fitting = LoraAdapters.Attach(_golden.Model, new LoraSettings(), seed: 1);
        var adapters = fitting.Parameters.Count();
        return LeavesOnlyCounts(() =>
        {
            using var longer = GoldenCase.Load("tiny-longrope");
            var adapter = Path.Combine(AppContext.BaseDirectory, "Fixtures", "lora-3-steps", "adapter_final");
            Assert.Throws<InvalidDataException>(() => PeftFolder.Load(adapter, longer.Model));
            return longer.Model.parameters().Count() + adapters;
        });
    }

    private static Task LeavesNothing(Action action) => LeavesNothing(() =>
    {
        action();
        return Task.CompletedTask;
    });

    private static Task LeavesNothing(Func<Task> action) => LeavesOnlyCounts(async () =>
    {
        await action();
        return 0;
    });

    private static Task LeavesOnlyCounts(Func<int> action) => LeavesOnlyCounts(() => Task.FromResult(action()));

    /// <param name="action">Returns how many parameters it made: each counts for good although it is freed (docs/upstream.md).</param>
    private static async Task LeavesOnlyCounts(Func<Task<int>> action)
    {
        // Once before, for what is kept on purpose: the gradients' own tensors.
        await action();
        // What other tests have left to the finalizer must not be counted.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        var parameters = await action();
        Assert.Equal(before + parameters, Tensor.TotalCount);
    }
}
