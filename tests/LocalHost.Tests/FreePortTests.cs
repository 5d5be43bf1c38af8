using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class FreePortTests
{
    [Fact]
    public void Ports_that_are_asked_for_together_differ() => Assert.Equal(2000, FreePort.Next(2000).Distinct().Count());
}
