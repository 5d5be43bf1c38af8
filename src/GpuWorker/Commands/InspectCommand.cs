using System.CommandLine;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>inspect</c>: what is in a model folder.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "A model folder." };
        folder.AcceptExistingOnly();
        var weights = new Option<bool>("--weights") { Description = "List every weight: name, type, shape." };
        var command = new Command("inspect",
            """
            Loads a model folder, which checks that its configuration, tokenizer and weights fit together, and describes it.

            Example: inspect base --weights
            """)
        { folder, weights };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(folder).FullName, parsed.GetValue(weights)));
        return command;
    }

    private static int Run(string folder, bool weights)
    {
        using var scope = torch.NewDisposeScope();
        using var loaded = ModelFolder.Load(folder, torch.CPU, torch.ScalarType.Float32);
        var (config, clip) = (loaded.Config, loaded.Config.Clip);
        var parameters = loaded.Model.named_parameters().ToList();
        Console.WriteLine($"parameters   {parameters.Sum(p => p.parameter.numel()):N0}");
        Console.WriteLine(
            $"decoder      {config.NumHiddenLayers} layers, width {config.HiddenSize}, feed-forward {config.IntermediateSize}, " +
            $"{config.NumAttentionHeads} heads, {config.NumKeyValueHeads} for keys and values");
        Console.WriteLine(
            $"vision tower {clip.NumHiddenLayers} layers, width {clip.HiddenSize}, feed-forward {clip.IntermediateSize}, " +
            $"{clip.NumAttentionHeads} heads");
        Console.WriteLine($"context      {config.MaxPositionEmbeddings} tokens");
        Console.WriteLine($"vocabulary   {config.VocabSize}, {loaded.Tokenizer.VocabularySize} in the tokenizer");
        if (File.Exists(Path.Combine(folder, ServingSettings.FileName)))
        {
            var serving = ServingSettings.Load(folder);
            Console.WriteLine(
                $"asked        \"{serving.Question}\", {serving.NumCrops} crops at most, " +
                $"answers of {serving.MaxAnswerTokens} tokens at most");
        }
        if (!weights) return CommandLine.Done;
        foreach (var (name, parameter) in parameters) Console.WriteLine($"{name} {parameter.dtype} [{string.Join(",", parameter.shape)}]");
        return CommandLine.Done;
    }
}
