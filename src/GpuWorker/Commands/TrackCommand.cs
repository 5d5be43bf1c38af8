using System.CommandLine;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Tracking.Wandb;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>track</c>: sends a run that has ended to Weights &amp; Biases.</summary>
internal static class TrackCommand
{
    public static Command Create()
    {
        var run = SharedOptions.Run();
        var folder = SharedOptions.StorageFolder();
        var command = new Command("track",
            """
            Sends a run that has ended to Weights & Biases: all of it, or what an outage kept from there.

            Reads runs/{id}/request.json, metrics.jsonl, samples/ and result.json. Storage and WANDB_… variables are those of train; a run
            that was trained with WANDB_MODE=offline is sent without that variable.

            Example: WANDB_API_KEY=… PipelineStorage=UseDevelopmentStorage=true track --run spring-catalog
            """)
        { run, folder };
        command.SetAction((parsed, cancellationToken) =>
            RunAsync(parsed.GetRequiredValue(run), parsed.GetValue(folder), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string run, DirectoryInfo? folder, CancellationToken cancellationToken)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => console.SingleLine = true);
        builder.Logging.AddFilter("Azure", LogLevel.Warning);
        builder.Services.AddRunStore(folder, builder.Configuration);
        using var host = builder.Build();
        var logger = host.Services.GetRequiredService<ILogger<TrainingJobRunner>>();
        var options = WandbOptions.Read(name => builder.Configuration[name], logger)
            ?? throw new CommandException("There is nowhere to send the run: set WANDB_API_KEY, and WANDB_MODE to online or not at all.");
        var store = host.Services.GetRequiredService<IRunStore>();
        var job = await TrainCommand.ReadJobAsync(store, run, cancellationToken);
        var page = await EndedRun.SendAsync(options, store, job, TimeProvider.System, logger, cancellationToken);
        Console.WriteLine($"{run} is complete on {page}");
        return CommandLine.Done;
    }
}
