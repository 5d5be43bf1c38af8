using System.Text.RegularExpressions;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Command line that starts the GPU worker on this machine.</summary>
internal sealed partial record GpuWorkerCommand(string FileName, IReadOnlyList<string> Arguments)
{
    /// <summary>Parses the setting <see cref="GpuWorkerOptions.Command"/>. Null when it names no program.</summary>
    public static GpuWorkerCommand? Parse(string? setting)
    {
        var parts = Part().Matches(setting ?? "").Select(match => match.Value.Replace("\"", "", StringComparison.Ordinal)).ToList();
        return parts.Count > 0 && parts[0].Length > 0 ? new GpuWorkerCommand(parts[0], parts[1..]) : null;
    }

    [GeneratedRegex("""(?:"[^"]*"|[^\s"])+""")]
    private static partial Regex Part();
}
