using System.Globalization;
using System.Text;
using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Text to token ids, beside the Rust library.</summary>
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
