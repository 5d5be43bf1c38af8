namespace FunctionsPipeline.Infra.Tests;

public sealed class BicepTests
{
    [Fact]
    public void The_compiler_is_restored() => Assert.True(File.Exists(Bicep.Executable), Bicep.Executable);
}
