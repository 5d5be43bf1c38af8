using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using StreamJsonRpc;

namespace FunctionsPipeline.Infra.Tests;

/// <summary>
/// The Bicep compiler, restored from its package: a child process that answers requests and needs no network. Its first answer takes
/// seconds, the next ones a fraction.
/// </summary>
internal sealed class Bicep : IDisposable
{
    private readonly Process _process;
    private readonly JsonRpc _rpc;

    /// <summary>Starts the compiler.</summary>
    /// <param name="environment">Variables that parameter files read.</param>
    public Bicep(IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(Executable, ["jsonrpc", "--stdio"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        // The executable unpacks itself there.
        start.Environment["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] = Path.Combine(AppContext.BaseDirectory, "bicep");
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        _process = Process.Start(start)!;
        _rpc = new JsonRpc(new HeaderDelimitedMessageHandler(
            _process.StandardInput.BaseStream, _process.StandardOutput.BaseStream, new SystemTextJsonFormatter()));
        _rpc.StartListening();
    }

    /// <summary>Path of the executable.</summary>
    public static string Executable { get; } = Path.Combine(
        typeof(Bicep).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "BicepFolder").Value!, "bicep");

    /// <summary>Compiles a parameter file with its template, and runs the linter.</summary>
    /// <returns>Errors, warnings and notes, a line each, and the values of the parameters.</returns>
    public async Task<(IReadOnlyList<string> Diagnostics, string? Parameters)> CompileAsync(string path)
    {
        var result = await _rpc.InvokeWithParameterObjectAsync<JsonObject>(
            "bicep/compileParams", new { path, parameterOverrides = new Dictionary<string, JsonNode>() });
        var diagnostics = result["diagnostics"]!.AsArray().Select(found =>
        {
            var place = $"{Path.GetFileName((string)found!["source"]!)}:{(int)found["range"]!["start"]!["line"]! + 1}";
            return $"{place} {found["code"]}: {found["message"]}";
        });
        return ([.. diagnostics], (string?)result["parameters"]);
    }

    /// <summary>Evaluates what a deployment would create, as far as that is known without Azure.</summary>
    /// <param name="resourceGroup">Resource group that is deployed to; null for a deployment to a subscription.</param>
    public async Task<JsonObject> SnapshotAsync(string path, string? resourceGroup)
    {
        var metadata = new
        {
            tenantId = "00000000-0000-0000-0000-000000000002",
            subscriptionId = "00000000-0000-0000-0000-000000000001",
            resourceGroup,
            location = "swedencentral",
            deploymentName = "example",
        };
        var result = await _rpc.InvokeWithParameterObjectAsync<JsonObject>(
            "bicep/getSnapshot", new { path, metadata, externalInputs = Array.Empty<JsonNode>() });
        return JsonNode.Parse((string)result["snapshot"]!)!.AsObject();
    }

    public void Dispose()
    {
        _rpc.Dispose();
        _process.Kill();
        _process.Dispose();
    }
}
