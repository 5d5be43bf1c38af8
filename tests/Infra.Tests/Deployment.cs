using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FunctionsPipeline.Infra.Tests;

/// <summary>Bicep files of a folder, compiled with the parameters of some options.</summary>
/// <param name="Folder">The folder, with the snapshots that the compiler wrote beside the options.</param>
internal sealed record Deployment(string Folder, IReadOnlyList<CompiledOption> Options)
{
    /// <summary>Names of all options: files in <c>infra/options</c>.</summary>
    public static IReadOnlyList<string> AllOptions { get; } = [.. Directory
        .EnumerateFiles(Path.Combine(Source, "options"), "*.bicepparam")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    /// <summary>Folder <c>infra</c> of the repository.</summary>
    public static string Source => Path.Combine(Repository.Root, "infra");

    /// <summary>Option without a virtual network, sign-in or scheduler.</summary>
    public const string Default = "default";

    /// <summary>Option with the module that a hook deploys.</summary>
    public const string Events = "events";

    /// <summary>Copies <c>infra</c> to a folder of the build output, changes the copy, and compiles it.</summary>
    /// <param name="name">Name of the copy.</param>
    public static async Task<Deployment> CompileAsync(
        Bicep bicep, string name, IEnumerable<string> options, Action<string>? change = null)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "compiled", name);
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        foreach (var part in new[] { "", "modules", "options" })
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Source, part)))
            {
                if (!file.EndsWith(CompiledOption.SnapshotExtension, StringComparison.Ordinal))
                    File.Copy(file, Path.Combine(folder, part, Path.GetFileName(file)));
            }
        }
        change?.Invoke(folder);
        var compiled = new List<CompiledOption>();
        foreach (var option in options) compiled.Add(await CompiledOption.CompileAsync(bicep, folder, option));
        return new Deployment(folder, compiled);
    }

    /// <summary>Lists the resources of all options.</summary>
    public IEnumerable<(string Option, JsonObject Resource)> Resources =>
        Options.SelectMany(option => option.Resources.Select(resource => (option.Name, resource)));
}

/// <summary>Outcome of compiling one option.</summary>
/// <param name="Diagnostics">Lines of the compiler and its linter.</param>
/// <param name="Snapshot">Text of the snapshot; null when there are errors.</param>
/// <param name="Resources">The resources that a deployment would create; values that only Azure knows are expressions.</param>
internal sealed record CompiledOption(
    string Name, IReadOnlyList<string> Diagnostics, string? Snapshot, IReadOnlyList<JsonObject> Resources)
{
    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>End of the names of snapshots.</summary>
    public const string SnapshotExtension = ".snapshot.json";

    /// <summary>Compiles an option, and writes its snapshot beside it.</summary>
    public static async Task<CompiledOption> CompileAsync(Bicep bicep, string folder, string name)
    {
        var options = Path.Combine(folder, "options");
        var file = Path.Combine(options, $"{name}.bicepparam");
        var (diagnostics, parameters) = await bicep.CompileAsync(file);
        if (parameters is null) return new CompiledOption(name, diagnostics, null, []);
        var snapshot = await bicep.SnapshotAsync(file, name == Deployment.Events ? "rg-example" : null);
        // The compiler writes outputs in another order each time.
        if (snapshot["outputs"] is JsonObject outputs)
        {
            snapshot["outputs"] = new JsonObject(outputs.OrderBy(output => output.Key, StringComparer.Ordinal)
                .Select(output => KeyValuePair.Create(output.Key, output.Value?.DeepClone())));
        }
        var text = snapshot.ToJsonString(Indented) + "\n";
        await File.WriteAllTextAsync(Path.Combine(options, name + SnapshotExtension), text);
        return new CompiledOption(
            name, diagnostics, text, [.. snapshot["predictedResources"]!.AsArray().Select(resource => resource!.AsObject())]);
    }
}
