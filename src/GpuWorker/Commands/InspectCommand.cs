using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>inspect</c>: describes a model folder.</summary>
internal static class InspectCommand
{
    private const int CacheTokens = 1000;

    private static readonly Dictionary<string, torch.ScalarType> Types = new()
    {
        ["bf16"] = torch.ScalarType.BFloat16,
        ["fp16"] = torch.ScalarType.Float16,
        ["fp32"] = torch.ScalarType.Float32,
    };

    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "A model folder." };
        folder.AcceptExistingOnly();
        var weights = new Option<bool>("--weights") { Description = "List every weight: name, type, shape." };
        var load = new Option<string?>("--load")
        {
            Description = "Also load the weights, as bf16, fp16 or fp32, and say how long it took and how much memory.",
        };
        load.AcceptOnlyFromAmong([.. Types.Keys]);
        var device = SharedOptions.Device();
        var command = new Command("inspect",
            """
            Describes a model folder: architecture, parameters of each part, memory that it needs. Reads the configuration,
            the tokenizer and the headers of the weights, and checks that they fit together; the weights themselves are not read,
            so that it takes no time. Every weight that does not fit is listed. A folder without tokenizer is described all the same.

            Examples: inspect base --weights
                      inspect Phi-3-vision-128k-instruct --load bf16
            """)
        { folder, weights, load, device };
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(folder).FullName;
            Describe(path, ModelSummary.Read(path), parsed.GetValue(weights));
            if (parsed.GetValue(load) is { } type) Load(path, type, SharedOptions.Resolve(parsed.GetValue(device)));
            return CommandLine.Done;
        });
        return command;
    }

    private static void Describe(string folder, ModelSummary model, bool weights)
    {
        var (config, clip, memory) = (model.Config, model.Config.Clip, model.Memory);
        Line("architecture", $"{config.ModelType}, {Number(model.ParameterCount)} parameters");
        foreach (var (part, count) in model.Parameters) Line("", $"{Name(part),-14} {Number(count),15}");
        Line("decoder",
            $"{config.NumHiddenLayers} layers, width {config.HiddenSize}, feed-forward {config.IntermediateSize}, " +
            $"{config.NumAttentionHeads} heads, {config.NumKeyValueHeads} for keys and values");
        Line("vision tower",
            $"{clip.NumHiddenLayers} layers, width {clip.HiddenSize}, feed-forward {clip.IntermediateSize}, " +
            $"{clip.NumAttentionHeads} heads, {clip.ImageSize} pixels in patches of {clip.PatchSize}");
        Line("context", $"{config.MaxPositionEmbeddings} tokens" + (config.MaxPositionEmbeddings > config.OriginalMaxPositionEmbeddings
            ? $", rotary positions stretched beyond {config.OriginalMaxPositionEmbeddings}"
            : ""));
        Line("vocabulary", $"{config.VocabSize}, " + (model.Tokenizer is { } tokenizer
            ? $"{tokenizer.VocabularySize} in the tokenizer"
            : $"and no tokenizer: without {Tokenizer.FileName} the model loads, but cannot be trained or asked anything"));
        Line("stored",
            $"{string.Join(" and ", model.Weights.Select(weight => weight.Dtype).Distinct().Order())}, " +
            $"{ByteSize.Text(model.StoredBytes)} in " + (model.Files.Count == 1 ? "1 file" : $"{model.Files.Count} files"));
        Line("memory", $"weights           {ByteSize.Text(memory.WeightsBf16)} in bf16, {ByteSize.Text(memory.WeightsFp32)} in fp32");
        Line("",
            $"cache             {ByteSize.Text(memory.CacheBf16(CacheTokens))} in bf16, {ByteSize.Text(memory.CacheFp32(CacheTokens))} " +
            $"in fp32 for {CacheTokens} tokens");
        Line("",
            $"training in fp32  {ByteSize.Text(memory.TrainingFp32)} for weights and gradients, " +
            $"{ByteSize.Text(memory.TrainingFp32WithAdamW)} with AdamW's moments, activations on top");
        if (File.Exists(Path.Combine(folder, ServingSettings.FileName)))
        {
            var serving = ServingSettings.Load(folder);
            Line("asked", $"\"{serving.Question}\", {serving.NumCrops} crops at most, answers of {serving.MaxAnswerTokens} tokens at most");
            foreach (var (field, values) in serving.Values?.AsEnumerable() ?? [])
                Line(field, $"{Number(values.Count)} known values");
        }
        if (!weights) return;
        foreach (var weight in model.Weights) Console.WriteLine($"{weight.Name} {weight.Dtype} [{string.Join(",", weight.Shape)}]");
    }

    private static void Load(string folder, string type, torch.Device device)
    {
        // libtorch is loaded before the measurement: it takes about 100 MB, and as much again on a GPU.
        torch.zeros(1, device: device).Dispose();
        var peak = PeakMemory.Begin();
        var started = Stopwatch.GetTimestamp();
        using var model = ModelFolder.LoadModel(folder, device, Types[type]);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var bytes = model.parameters().Sum(parameter => parameter.numel() * parameter.element_size());
        Line("loaded", Text($"{type} on {device} in {seconds:0.0} s") + (peak is null
            ? ""
            : Text($", {ByteSize.Text(peak.Growth)} of memory at the peak, {peak.Growth / (double)bytes:0.000} of the model's size")));
    }

    private static string Name(ModelPart part) => part switch
    {
        ModelPart.VisionTower => "vision tower",
        ModelPart.Projector => "projector",
        ModelPart.Embeddings => "embeddings",
        ModelPart.DecoderLayers => "decoder layers",
        ModelPart.FinalNorm => "final norm",
        _ => "lm_head",
    };

    private static void Line(string title, string text) => Console.WriteLine($"{title,-12} {text}");

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>
/// Measures the peak of the process's resident memory since a point in time, as Linux counts it (<c>VmHWM</c> of <c>/proc/self/status</c>).
/// </summary>
internal sealed class PeakMemory
{
    private const string Status = "/proc/self/status";
    private readonly long _before;

    private PeakMemory(long before) => _before = before;

    /// <summary>Starts a measurement; null where <c>/proc</c> is missing or not writable.</summary>
    public static PeakMemory? Begin()
    {
        try
        {
            // Writing "5" resets VmHWM to the current resident memory.
            File.WriteAllText("/proc/self/clear_refs", "5");
            return Read("VmRSS:") is { } before ? new PeakMemory(before) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Bytes by which the peak exceeds the memory at the start.</summary>
    public long Growth => Read("VmHWM:")!.Value - _before;

    private static long? Read(string key)
    {
        var line = File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        if (line is null) return null;
        // The "kB" of /proc are units of 1,024 bytes.
        return 1024 * long.Parse(line.AsSpan(key.Length).Trim().TrimEnd("kB").TrimEnd(), CultureInfo.InvariantCulture);
    }
}
