using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures text to token ids, beside the Rust library.</summary>
internal sealed class TokenizerBenchmark : IBenchmark
{
    private const int TextLength = 1_000_000;
    private const int PartLength = 4096;
    private const int TrainedVocabulary = 1200;
    private const int TrainingParts = 10;
    private const string RealTokenizer = "data/phi3v-tokenizer";

    /// <inheritdoc/>
    public string Name => "tokenizer";

    /// <inheritdoc/>
    public string Title => "Tokenizer";

    /// <inheritdoc/>
    public string Description => "English text to token ids, beside the Rust tokenizers library";

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        var parts = EnglishText.Parts(TextLength, PartLength);
        using var scratch = new ScratchFolder(Name);
        var (folder, kind) = Folder(parts, scratch.Path);
        var tokenizer = Tokenizer.Load(folder);
        var hash = IdHash.Empty;
        var tokens = 0;
        foreach (var ids in parts.Select(part => tokenizer.Encode(part)))
        {
            hash = IdHash.Add(hash, ids);
            tokens += ids.Length;
        }

        var table = new Table("work", "median ms", "fastest ms", "rounds", "million tokens/s", "MB/s", "ratio");
        var bytes = parts.Sum(part => Encoding.UTF8.GetByteCount(part));
        string? comparison = null;
        RustTokenizers? rust = null;
        try
        {
            rust = RustTokenizers.Start(Path.Combine(folder, Tokenizer.FileName), parts, scratch.Path);
            var theirs = rust.Ids();
            if (theirs != (tokens, hash))
                throw new InvalidOperationException($"The Rust library gives {theirs.Count} ids, or others; we give {tokens}.");
            comparison = $"Rust is the npm package tokenizers {rust.Version} on the same parts and file, one part at a time as we do; " +
                "its rounds and ours took turns, and its ids are the same. Ratio: its median over ours.";
        }
        catch (NotMeasuredException e)
        {
            comparison = $"The Rust library: not measured: {e.Message}.";
            rust?.Dispose();
            rust = null;
        }
        using (rust)
        {
            Add("a new tokenizer's first pass", fresh: true);
            Add("further passes", fresh: false);
        }
        return new Section(
            $"{(bytes / 1e6).ToString("0.00", CultureInfo.InvariantCulture)} MB of English (the SDK's documentation of System.Runtime, " +
            $"each text once) in {parts.Count} parts of at most {PartLength} characters, " +
            $"{tokens.ToString("N0", CultureInfo.InvariantCulture)} tokens, {kind}, one thread. {comparison}",
            table);

        void Add(string work, bool fresh)
        {
            var timings = rust is null
                ? meter.Measure($"tokenizer, {work}", () => Ours(fresh))
                : meter.Measure($"tokenizer, {work}", () => Ours(fresh), () => rust.Round(fresh));
            AddRow(work, timings[0], timings is [_, var other] ? $"{Number(other.Median / timings[0].Median)}×" : "");
            if (timings is [_, var theirs]) AddRow($"{work}, Rust", theirs, "");
        }

        void AddRow(string work, Timing timing, string ratio) => table.Add(
            [work, .. timing.Cells, Number(tokens / timing.Median / 1e3), Number(bytes / timing.Median / 1e3), ratio]);

        double Ours(bool fresh)
        {
            var encoder = fresh ? Tokenizer.Load(folder) : tokenizer;
            return Meter.Time(() =>
            {
                foreach (var part in parts) encoder.Encode(part);
            });
        }
    }

    /// <returns>A folder with a tokenizer.json, and which one it is.</returns>
    private static (string Folder, string Kind) Folder(IReadOnlyList<string> parts, string scratch)
    {
        if (TestData.Root is not null && Directory.Exists(TestData.Path(RealTokenizer)))
            return (TestData.Path(RealTokenizer), "the published tokenizer of 32,064 tokens");
        File.WriteAllText(
            Path.Combine(scratch, Tokenizer.FileName), TokenizerTrainer.Train(parts.Take(TrainingParts), TrainedVocabulary));
        return (scratch, $"a tokenizer of {TrainedVocabulary} tokens trained on the first parts (the published one is not here)");
    }

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}

/// <summary>
/// English sentences that are on every machine with the SDK: its documentation of the base class library, each text once.
/// </summary>
internal static partial class EnglishText
{
    private const int ShortestText = 60;
    private static readonly HashSet<string> Elements = ["summary", "param", "returns", "exception", "remarks"];

    /// <summary>Texts of about a size in all, in parts of at most <paramref name="partLength"/> characters.</summary>
    /// <exception cref="NotMeasuredException">The SDK has no documentation.</exception>
    public static IReadOnlyList<string> Parts(int length, int partLength)
    {
        var parts = new List<string>();
        var part = new StringBuilder();
        var total = 0;
        foreach (var text in Texts())
        {
            if (part.Length + text.Length + 1 > partLength)
            {
                parts.Add(part.ToString());
                total += part.Length;
                part.Clear();
                if (total >= length) break;
            }
            part.Append(text).Append('\n');
        }
        return parts;
    }

    private static IEnumerable<string> Texts() =>
        XDocument.Load(File()).Descendants().Where(element => Elements.Contains(element.Name.LocalName))
            .Select(element => Space().Replace(string.Concat(element.DescendantNodes().Select(Text)), " ").Trim())
            .Where(text => text.Length is >= ShortestText and < 2000).Distinct(StringComparer.Ordinal);

    /// <summary>The text of a node; a reference reads as the name that it refers to.</summary>
    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element when element.Attribute("cref") is { } reference => Name().Match(reference.Value).Value,
        XElement element => element.Attribute("langword")?.Value ?? element.Attribute("name")?.Value ?? "",
        _ => "",
    };

    private static string File()
    {
        var packs = Path.GetFullPath(Path.Combine(
            RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "packs", "Microsoft.NETCore.App.Ref"));
        var files = Directory.Exists(packs) ? Directory.GetFiles(packs, "System.Runtime.xml", SearchOption.AllDirectories) : [];
        return files.Order(StringComparer.Ordinal).LastOrDefault()
            ?? throw new NotMeasuredException("the English text is the SDK's documentation, and this SDK has none");
    }

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Space();

    // T:System.Collections.Generic.List`1 → List; M:System.String.Join(System.String) → Join
    [GeneratedRegex(@"[\w#]+(?=(`\d+)*(\(.*\))?(~.*)?$)", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}

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
    /// <param name="parts">Texts to tokenize.</param>
    /// <param name="folder">Folder for a file with the parts.</param>
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

    /// <summary>Measures the milliseconds that all parts take.</summary>
    /// <param name="fresh">True for a new tokenizer, whose cache is empty.</param>
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

/// <summary>A hash (FNV-1a on whole ids) of token ids in order, which <c>rust-tokenizers.cjs</c> computes too.</summary>
internal static class IdHash
{
    private const uint Prime = 16777619;

    /// <summary>Hash of no ids.</summary>
    public const uint Empty = 2166136261;

    /// <summary>Extends a hash by more ids.</summary>
    public static uint Add(uint hash, IEnumerable<int> ids) => ids.Aggregate(hash, (sum, id) => unchecked((sum ^ (uint)id) * Prime));
}
