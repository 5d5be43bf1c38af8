using FunctionsPipeline.LocalHost.Chaos;
using Spectre.Console;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>The short form of <c>./pipeline chaos</c>.</summary>
public sealed class ChaosTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("chaos-").FullName;

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    [Fact]
    public async Task Every_image_has_its_document_and_a_run_its_model_whatever_is_killed()
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 200;
        var exitCode = await ChaosScenario.RunAsync(ChaosOptions.Short(Path.Combine(_parent, "state")), console, CancellationToken.None);
        Assert.True(exitCode == 0, output.ToString());
    }
}
