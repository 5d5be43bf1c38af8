using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;

namespace FunctionsPipeline.Tests.LocalHost.Demo;

public sealed class InjectedFaultsTests
{
    [Fact]
    public void Rows_that_came_to_what_their_fault_should_make_of_them_are_no_surprise()
    {
        var faults = new InjectedFaults(
            [new("status-404", "/p/1", 1), new("status-503", "/p/2", 1), new("stall", "/p/3", 3), new("corrupt", "/p/4", 1), new("cut", "/cdn/0.parquet", 1)],
            [Row(1, Rejection.NotFound), Row(2, null), Row(3, Rejection.Timeout), Row(4, Rejection.Truncated), Row(5, Rejection.NotAnImage)]);
        Assert.Empty(faults.Surprises);
        Assert.Contains(("stall", 1, "timeout 1"), faults.Summary);
        Assert.Contains(("cut", 1, ""), faults.Summary);
    }

    [Theory]
    [InlineData("status-404", null)]
    [InlineData("status-404", Rejection.Timeout)]
    [InlineData("status-503", Rejection.DownloadFailed)]
    [InlineData("stall", Rejection.DownloadFailed)]
    [InlineData("stall", null)]
    [InlineData("corrupt", null)]
    public void A_row_that_came_to_something_else_is_a_surprise(string kind, string? reason)
    {
        var row = Row(7, reason);
        Assert.Equal([row], new InjectedFaults([new(kind, "/p/7", 1)], [row, Row(8, null)]).Surprises);
    }

    private static ManifestRow Row(int picture, string? reason) => new()
    {
        Row = picture,
        SourceSplit = "train",
        Split = "train",
        State = reason is null ? RowState.Stored : RowState.Rejected,
        Reason = reason,
        ImageUrl = $"http://127.0.0.1:1/p/{picture}",
    };
}
