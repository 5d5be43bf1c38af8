using System.CommandLine;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.GpuWorker.Commands;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.GpuWorker;

/// <summary>Command line of the GPU worker.</summary>
public static class CommandLine
{
    /// <summary>Exit code of a successful command.</summary>
    public const int Done = 0;

    /// <summary>Exit code of a failed command; for a run, <c>result.json</c> has the reason.</summary>
    public const int Failed = 1;

    /// <summary>
    /// Exit code of a run that was asked to stop and left a checkpoint (<c>EX_TEMPFAIL</c> of sysexits.h): a restart resumes from it.
    /// </summary>
    public const int Preempted = 75;

    /// <summary>
    /// Exit code of a training that met another worker of its run, or lost its lock to one (<c>EX_UNAVAILABLE</c> of sysexits.h).
    /// </summary>
    public const int Busy = 69;

    /// <summary>Exit code of an invalid command line (<c>EX_USAGE</c> of sysexits.h): retrying cannot help.</summary>
    public const int Usage = 64;

    // Saving a checkpoint of a large model takes minutes, so the limit is generous. The platform that stops the process has a limit of its
    // own.
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Parses and runs a command line.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        var root = new RootCommand(
            """
            The GPU worker: fine-tunes Phi-3-Vision and answers what product images show.

            Exit codes: 0 done; 1 failed; 64 the command line makes no sense (2 for verify, which has its own); 69 another worker trains
            the run; 75 a training was asked to stop and resumes from its checkpoint when it is started again.
            """);
        root.Add(TrainCommand.Create());
        root.Add(TrackCommand.Create());
        root.Add(ServeCommand.Create());
        root.Add(InitCommand.Create());
        root.Add(PredictCommand.Create());
        root.Add(InspectCommand.Create());
        root.Add(VerifyCommand.Create());

        var parsed = root.Parse([.. arguments]);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync(error.Message);
            await Console.Error.WriteLineAsync("--help shows what is possible.");
            return VerifyCommand.IsMeant(parsed) ? VerifyCommand.Unusable : Usage;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TerminationTimeout,
            });
        }
        catch (Exception e) when (
            e is CommandException or TrainingException or UnreadableImageException or IOException or InvalidDataException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return Failed;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Cancelled.");
            return Failed;
        }
    }
}

/// <summary>A command failed for a reason that the user can act on; only the message is printed.</summary>
public sealed class CommandException(string message, Exception? inner = null) : Exception(message, inner);
