using System.CommandLine;
using FunctionsPipeline.LocalHost;
using FunctionsPipeline.LocalHost.Chaos;
using FunctionsPipeline.LocalHost.Uploads;

var commands = new RootCommand("Runs the pipeline on this machine: Azurite for storage, a Functions host, the GPU worker beside it.")
{
    UpCommand.Create(),
    DemoCommand.Create(),
    UploadCommand.Create(),
    IngestCommand.Create(),
    ChaosCommand.Create(),
    RunCommand.Create(),
};
try
{
    return await commands.Parse(args).InvokeAsync(
        // Children are stopped one after another within these 30 seconds; what is left of them ends with this process (ChildProcess).
        new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
}
catch (OperationCanceledException)
{
    return 1;
}
catch (Exception e) when (e is InvalidOperationException or IOException or HttpRequestException)
{
    // These exceptions have causes that the user can fix. All others are defects and show their stack trace.
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
