using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Hugging Face's tokenizers library, which is written in Rust, as its npm package: a Node process that works when it is told to, so that
/// its rounds and ours take turns. <c>./pipeline bench</c> installs the package.
/// </summary>
internal sealed class RustTokenizers : IDisposable
{
    private readonly Process _node;

    private RustTokenizers(Process node, string version) => (_node, Version) = (node, version);

    /// <summary>The package's version.</summary>
    public string Version { get; }

    /// <summary>Starts the process.</summary>
    /// <param name="tokenizerFile">A <c>tokenizer.json</c>.</param>
    /// <param name="parts">What it tokenizes.</param>
    /// <param name="folder">For a file with the parts.</param>
    /// <exception cref="NotMeasuredException">Node or the package is not here, or does not work.</exception>
    public static RustTokenizers Start(string tokenizerFile, IReadOnlyList<string> parts, string folder)
    {
        var package = Environment.GetEnvironmentVariable("PIPELINE_RUST_TOKENIZERS");
        if (!Directory.Exists(package))
            throw new NotMeasuredException("the npm package tokenizers, which ./pipeline bench installs, is not here");
        var partsFile = Path.Combine(folder, "parts.json");
        File.WriteAllBytes(partsFile, JsonSerializer.SerializeToUtf8Bytes(parts));
        var start = new ProcessStartInfo("node")
        {
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, "rust-tokenizers.cjs"), package, tokenizerFile, partsFile },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(package, "package.json")));
            return new RustTokenizers(Process.Start(start)!, json.RootElement.GetProperty("version").GetString()!);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException or JsonException)
        {
            throw new NotMeasuredException($"the npm package tokenizers does not start: {e.Message}");
        }
    }

    /// <summary>Number of ids of all parts, and <see cref="IdHash"/> of them.</summary>
    public (int Count, uint Hash) Ids()
    {
        var answer = Ask("ids").Split(' ');
        return (int.Parse(answer[0], CultureInfo.InvariantCulture), uint.Parse(answer[1], CultureInfo.InvariantCulture));
    }

    /// <summary>Milliseconds that all parts take.</summary>
    /// <param name="fresh">With a new tokenizer, whose cache is empty.</param>
    public double Round(bool fresh) => double.Parse(Ask(fresh ? "fresh" : "again"), CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public void Dispose()
    {
        // The script ends with its input.
        _node.StandardInput.Close();
        _node.WaitForExit();
        _node.Dispose();
    }

    private string Ask(string command)
    {
        try
        {
            _node.StandardInput.WriteLine(command);
            _node.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended; the output says so too.
        }
        return _node.StandardOutput.ReadLine()
            ?? throw new NotMeasuredException("the npm package tokenizers does not load or fails; standard error says why");
    }
}
