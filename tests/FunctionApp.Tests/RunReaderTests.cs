using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Tests;

public class FailureReasonTests
{
    [Theory]
    [InlineData("FunctionsPipeline.FunctionApp.Orchestration.RunFailedException: The GPU job was lost: gone", "The GPU job was lost: gone")]
    [InlineData("\"System.TimeoutException: too \\\"slow\\\"\"", "too \"slow\"")]
    [InlineData("(unknown): no idea", "no idea")]
    [InlineData("\"quoted\" but no JSON", "\"quoted\" but no JSON")]
    [InlineData("just words: and more", "just words: and more")]
    [InlineData(null, "The run failed without saying why.")]
    [InlineData(
        "Microsoft.DurableTask.TaskFailedException: Task 'IngestDataset' (#0) failed with an unhandled exception: "
            + "Task 'ResolveDataset' (#1) failed with an unhandled exception: samples/x: not found",
        "samples/x: not found")]
    public void A_failed_run_tells_why_where_only_its_output_is_kept(string? output, string expected) =>
        Assert.Equal(expected, FailureReason.Of(Instance(OrchestrationRuntimeStatus.Failed, output)));

    [Fact]
    public void A_failed_run_tells_why_where_its_failure_is_kept()
    {
        var activity = new TaskFailureDetails("System.IO.IOException", "disk full", null, null, null);
        var task = new TaskFailureDetails(typeof(TaskFailedException).FullName!, "Task 'A' (#0) failed: see inner", null, activity, null);
        Assert.Equal("disk full", FailureReason.Of(Instance(OrchestrationRuntimeStatus.Failed, null, task)));
        Assert.Equal("disk full", FailureReason.Of(Instance(OrchestrationRuntimeStatus.Failed, null, activity)));
    }

    [Fact]
    public void A_failure_without_its_inner_one_tells_the_message_that_it_repeats()
    {
        const string Message = "Task 'StartGpuJob' (#4) failed with an unhandled exception: no such file";
        var task = new TaskFailureDetails(typeof(TaskFailedException).FullName!, Message, null, null, null);
        Assert.Equal("no such file", FailureReason.Of(Instance(OrchestrationRuntimeStatus.Failed, null, task)));
    }

    [Theory]
    [InlineData(OrchestrationRuntimeStatus.Completed)]
    [InlineData(OrchestrationRuntimeStatus.Terminated)]
    [InlineData(OrchestrationRuntimeStatus.Running)]
    public void A_run_that_has_not_failed_has_no_error(OrchestrationRuntimeStatus status) =>
        Assert.Null(FailureReason.Of(Instance(status, "cancelled")));

    private static OrchestrationMetadata Instance(OrchestrationRuntimeStatus status, string? output, TaskFailureDetails? failure = null) =>
        new("FineTune", "run-1") { RuntimeStatus = status, SerializedOutput = output, FailureDetails = failure };
}
