using System.Runtime.CompilerServices;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;

namespace FunctionsPipeline.FineTuning.Tests;

/// <summary>A base checkpoint that takes milliseconds a step.</summary>
internal static class SmallModel
{
    public static Tokenizer Tokenizer { get; } = Tokenizer.Parse(TokenizerTrainer.Train(
        ["Category: Hats", "Category: Coats", "Category: Bags", "What is shown in this image?"], 360));

    public static Phi3VisionConfig Config { get; } = Presets.Tiny(Tokenizer.VocabularySize) with
    {
        HiddenSize = 32,
        IntermediateSize = 64,
        NumHiddenLayers = 1,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 2,
        RopeScaling = new RopeScaling { ShortFactor = [.. Enumerable.Repeat(1.0, 8)], LongFactor = [.. Enumerable.Repeat(1.0, 8)] },
        Clip = new ClipConfig { HiddenSize = 16, IntermediateSize = 32, NumHiddenLayers = 2, NumAttentionHeads = 2, ProjectionDim = 16 },
    };

    /// <summary>Writes the checkpoint.</summary>
    public static void Save(string folder)
    {
        using var scope = torch.NewDisposeScope();
        using var model = new Phi3VisionModel(Config);
        Initializer.Initialize(model, seed: 1);
        ModelFolder.Save(folder, model, Config, Tokenizer);
    }

    // Several threads cost more than they bring at this size, above all on a busy machine.
    [ModuleInitializer]
    internal static void UseOneThread() => torch.set_num_threads(1);
}
