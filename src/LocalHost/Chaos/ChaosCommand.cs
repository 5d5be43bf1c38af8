using System.CommandLine;
using FunctionsPipeline.LocalHost.Processes;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary><c>chaos</c>: kills processes of a local stack at work, and checks that nothing is lost.</summary>
internal static class ChaosCommand
{
    public static Command Create()
    {
        var defaults = new ChaosOptions { StateFolder = Path.Combine(Applications.StateFolder, "chaos") };
        var uploads = new Option<int>("--uploads")
        {
            Description = "Number of uploads, some of which are broken files, replace others or are deleted; 0 for none.",
            DefaultValueFactory = _ => defaults.Uploads,
        };
        var steps = new Option<int>("--steps")
        {
            Description = "Steps of the training run that is killed and compared with an undisturbed one; 0 for none.",
            DefaultValueFactory = _ => defaults.TrainingSteps,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Decides what is uploaded and when which fault strikes.",
            DefaultValueFactory = _ => defaults.Seed,
        };
        var minutes = new Option<double>("--minutes")
        {
            Description = "Time for the uploads and their documents, at most.",
            DefaultValueFactory = _ => defaults.Limit.TotalMinutes,
        };
        var soak = new Option<double>("--soak")
        {
            Description = "No faults: steady uploads for so many minutes, with memory and latency of each minute.",
            HelpName = "MINUTES",
        };
        foreach (var count in new[] { uploads, steps })
        {
            count.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 0) result.AddError($"{count.Name} must not be negative.");
            });
        }
        var command = new Command("chaos", """
            Starts a stack of its own, uploads images to it from several clients, and kills -9 its processes meanwhile: the Functions host
            and its worker three times each, the GPU worker five times (once while it loads another model), and Azurite once, with its
            data kept. At the end every image must have exactly one document, the right one, and nothing may be left. Then a training run
            whose job is killed twice and whose host is killed once must end with the very model of an undisturbed run.

            Exit codes: 0 every promise was kept; 1 one was broken.
            """)
        { uploads, steps, seed, minutes, soak };
        command.SetAction((arguments, cancellationToken) => ChaosScenario.RunAsync(
            defaults with
            {
                Uploads = arguments.GetValue(uploads),
                TrainingSteps = arguments.GetValue(steps),
                Seed = arguments.GetValue(seed),
                Limit = TimeSpan.FromMinutes(arguments.GetValue(minutes)),
                SoakTime = TimeSpan.FromMinutes(arguments.GetValue(soak)),
            },
            AnsiConsole.Console, cancellationToken));
        return command;
    }
}
