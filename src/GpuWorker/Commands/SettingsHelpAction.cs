using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>A command's usual help, and a run's settings below it.</summary>
internal sealed class SettingsHelpAction(HelpAction usual) : SynchronousCommandLineAction
{
    private const int WidthOfNoConsole = 120;
    private const int Widest = 140;

    /// <summary>Gives a command this help.</summary>
    public static void AddTo(Command command)
    {
        var option = new HelpOption();
        option.Action = new SettingsHelpAction((HelpAction)option.Action!);
        command.Add(option);
    }

    /// <summary>Whoever asks for help need not name a run.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var code = usual.Invoke(parseResult);
        SettingsHelp.Write(parseResult.InvocationConfiguration.Output, Width());
        return code;
    }

    private static int Width()
    {
        if (Console.IsOutputRedirected) return WidthOfNoConsole;
        // A terminal that does not tell has a width of 0.
        return Console.WindowWidth is > 0 and var width ? Math.Min(width, Widest) : WidthOfNoConsole;
    }
}
