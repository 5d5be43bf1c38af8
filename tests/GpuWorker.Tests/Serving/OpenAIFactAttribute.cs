namespace FunctionsPipeline.GpuWorker.Tests.Serving;

/// <summary>
/// A test with the npm package <c>openai</c>, which <c>./pipeline test</c> installs; says so when the package is not there.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class OpenAIFactAttribute : FactAttribute
{
    /// <summary>Folder of the package.</summary>
    public static string Module { get; } = Path.Combine(Root(), ".pipeline", "openai", "node_modules", "openai");

    public OpenAIFactAttribute()
    {
        if (!Directory.Exists(Module)) Skip = "skipped: the npm package openai is not installed; ./pipeline test installs it";
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent;
        return folder.FullName;
    }
}
