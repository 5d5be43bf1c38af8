using Spectre.Console;

namespace FunctionsPipeline.LocalHost;

/// <summary>Something that a command promises of the pipeline.</summary>
/// <param name="What">The promise, with figures.</param>
/// <param name="Details">What broke it, if anything did.</param>
internal sealed record Promise(string What, bool IsKept, IReadOnlyList<string> Details)
{
    private const int MostDetails = 10;

    /// <summary>Prints each promise in a line, and what broke it in further ones.</summary>
    /// <returns>Process exit code: 0 when every promise was kept.</returns>
    public static int Print(IReadOnlyCollection<Promise> promises, IAnsiConsole console)
    {
        foreach (var (what, isKept, details) in promises)
        {
            console.MarkupLine($"{(isKept ? "[green]yes[/]" : "[red]no [/]")} {Markup.Escape(what)}");
            if (isKept) continue;
            foreach (var detail in details.Take(MostDetails)) console.MarkupLine($"      {Markup.Escape(detail)}");
            if (details.Count > MostDetails) console.MarkupLine($"      and {details.Count - MostDetails} more");
        }
        return promises.All(promise => promise.IsKept) ? 0 : 1;
    }
}
