using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Help action that prints a command's usual help, followed by a run's settings.</summary>
internal sealed class SettingsHelpAction(HelpAction usual) : SynchronousCommandLineAction
{
    private const int WidthOfNoConsole = 120;
    private const int Widest = 140;

    /// <summary>Replaces a command's help action by this one.</summary>
    public static void AddTo(Command command)
    {
        var option = new HelpOption();
        option.Action = new SettingsHelpAction((HelpAction)option.Action!);
        command.Add(option);
    }

    /// <summary>True, so that <c>train --help</c> works without the required run.</summary>
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
        // The width is 0 in terminals that do not report one.
        return Console.WindowWidth is > 0 and var width ? Math.Min(width, Widest) : WidthOfNoConsole;
    }
}
