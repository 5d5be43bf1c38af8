using System.CommandLine;
using FunctionsPipeline.FunctionApp;

namespace FunctionsPipeline.LocalHost;

/// <summary><c>host</c>: the Functions alone, with the settings of the environment.</summary>
internal static class HostCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port") { Description = "Port on 127.0.0.1; 0 takes a free one.", DefaultValueFactory = _ => 7071 };
        var state = new Option<FileInfo>("--state")
        {
            Description = "SQLite file that keeps orchestrations; a host that is started with it again goes on where the last one stopped.",
            HelpName = "FILE",
            Required = true,
        };
        var command = new Command("host", """
            Runs the Functions host alone, until Ctrl-C. Its settings come from the environment, as in Azure: PipelineStorage and
            AzureWebJobsStorage (connection strings), HF_ENDPOINT, HF_TOKEN, Worker__Url, GpuWorker__Command, Ingestion__UnitRows and so on.
            """)
        { port, state };
        command.SetAction(async (arguments, cancellation) =>
        {
            var options = new LocalHostOptions { Port = arguments.GetValue(port), StateDatabase = arguments.GetValue(state)!.FullName };
            await using var host = FunctionsHost.Create(
                options, (services, configuration) => services.AddPipeline(configuration), typeof(PipelineServices).Assembly);
            await host.StartAsync(cancellation);
            Console.WriteLine($"functions listening on {host.Address}");
            await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        });
        return command;
    }
}
