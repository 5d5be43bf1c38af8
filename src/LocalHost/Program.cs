using System.CommandLine;
using FunctionsPipeline.LocalHost;

return await new RootCommand("Runs the pipeline on this machine: Azurite for storage, the Functions in this process, the GPU worker beside it.")
{
    UpCommand.Create(),
    DemoCommand.Create(),
    HostCommand.Create(),
}.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
