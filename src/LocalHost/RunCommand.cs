using System.CommandLine;
using System.Net;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost;

/// <summary><c>run</c>: runs one Functions app, with the settings of the environment.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo?>("DIR")
        {
            Description = "Build output of an isolated Functions app, with worker.config.json and host.json. Left out: the pipeline's app.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var port = new Option<int>("--port") { Description = "TCP port; 0 takes a free one.", DefaultValueFactory = _ => 7071 };
        var listen = new Option<IPAddress>("--listen")
        {
            Description = "IP address to listen on. On any but loopback the host asks for a key, which it prints.",
            DefaultValueFactory = _ => IPAddress.Loopback,
            CustomParser = result =>
            {
                if (IPAddress.TryParse(result.Tokens.Single().Value, out var address)) return address;
                result.AddError($"--listen: '{result.Tokens.Single().Value}' is no IP address");
                return null;
            },
        };
        var wait = WaitForDebugger();
        var command = new Command("run", """
            Runs a Functions app alone, until Ctrl-C: HTTP, blob, queue, timer, orchestration, activity and entity triggers. Its settings
            come from the environment, as in Azure: AzureWebJobsStorage (a connection string) and whatever else the app asks for.
            """)
        { folder, port, listen, wait };
        command.Aliases.Add("host");
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var options = new FunctionsHostOptions
            {
                AppFolder = arguments.GetValue(folder)?.FullName ?? Applications.FunctionApp,
                Port = arguments.GetValue(port),
                Listen = arguments.GetValue(listen)!,
                WaitForDebugger = arguments.GetValue(wait),
            };
            await using var host = await FunctionsHost.StartAsync(options, cancellationToken);
            Console.WriteLine($"functions listening on {host.Address}");
            if (host.Key is { } key) Console.WriteLine($"requests must bring the header x-functions-key: {key}");
            if (await Task.WhenAny(host.Failure, Task.Delay(Timeout.Infinite, cancellationToken)) == host.Failure)
                throw new InvalidOperationException($"The host cannot go on: {(await host.Failure).Message}", await host.Failure);
            return 0;
        });
        return command;
    }

    /// <summary>Creates an option that <c>up</c> shares.</summary>
    public static Option<bool> WaitForDebugger() => new("--wait-for-debugger")
    {
        Description = "Hold the worker, for a minute at most, until a debugger is attached to it; its process id is logged.",
    };
}
