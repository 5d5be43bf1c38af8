using FunctionsPipeline.LocalHost.Durable;
using FunctionsPipeline.Tests.LocalHost.Functions;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.Tests.LocalHost;

public sealed class DeterminismTests : IAsyncLifetime
{
    private TestHost _test = null!;

    public async Task InitializeAsync() => _test = await TestHost.StartAsync();

    public async Task DisposeAsync() => await _test.DisposeAsync();

    [Theory]
    [InlineData(nameof(BadOrchestrators.ChangesItsMind), "history has activity Square as call 0, where the code now has activity Note")]
    [InlineData(nameof(BadOrchestrators.ForgetsACall), "Its history has activity Square as call 0, which the code no longer makes")]
    [InlineData(nameof(BadOrchestrators.AddsACall), "The code makes 2 durable calls where its history has 1")]
    [InlineData(nameof(BadOrchestrators.WaitsForTheClock), "waits for something that is not durable")]
    [InlineData(nameof(BadOrchestrators.LeavesItsThread), "waits for something that is not durable")]
    public async Task An_orchestrator_that_leaves_its_history_fails_and_is_told_how(string orchestrator, string message)
    {
        var end = await _test.RunAsync(orchestrator);
        Assert.Equal(OrchestrationRuntimeStatus.Failed, end.RuntimeStatus);
        Assert.True(end.FailureDetails!.IsCausedBy<NonDeterministicOrchestratorException>());
        Assert.Contains(message, end.FailureDetails.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_to_an_activity_that_does_not_exist_names_those_that_do()
    {
        var end = await _test.RunAsync(nameof(BadOrchestrators.CallsNobody));
        Assert.Contains("There is no activity named Nobody. There are: Blocked, Flaky, Note, Square.", end.FailureDetails!.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_orchestrator_that_does_not_exist_fails_its_instance()
    {
        var end = await _test.RunAsync("Nobody");
        Assert.Equal(OrchestrationRuntimeStatus.Failed, end.RuntimeStatus);
        Assert.Contains("There is no orchestrator named Nobody.", end.FailureDetails!.ErrorMessage, StringComparison.Ordinal);
    }
}
