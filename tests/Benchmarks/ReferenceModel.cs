using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.Benchmarks;

/// <summary>The model and the rows that the reference was timed with.</summary>
internal static class ReferenceModel
{
    /// <summary>Positions of the prompt: an image of one crop (313 tokens) and 38 tokens of text.</summary>
    public const int PromptTokens = 351;

    /// <summary>Positions of a training row: the prompt and an answer.</summary>
    public const int TrainingTokens = 380;

    private const long Parameters = 5_353_984;
    private const int TokensBeforeImage = 5;

    private static readonly double[] NoScaling = [.. Enumerable.Repeat(1.0, 16)];

    private static readonly Phi3VisionConfig Config = new()
    {
        HiddenSize = 256,
        IntermediateSize = 688,
        NumHiddenLayers = 4,
        NumAttentionHeads = 8,
        NumKeyValueHeads = 8,
        VocabSize = 2048,
        PadTokenId = 2047,
        MaxPositionEmbeddings = 4096,
        OriginalMaxPositionEmbeddings = 4096,
        RopeScaling = new RopeScaling { ShortFactor = NoScaling, LongFactor = NoScaling },
        Clip = new ClipConfig { HiddenSize = 128, IntermediateSize = 512, NumHiddenLayers = 4, NumAttentionHeads = 4, ProjectionDim = 128 },
    };

    /// <summary>Makes the model, with random weights.</summary>
    public static Phi3VisionModel Create(ScalarType type)
    {
        var model = new Phi3VisionModel(Config, dtype: type);
        Initializer.Initialize(model, seed: 1);
        var count = model.parameters().Sum(parameter => parameter.numel());
        return count == Parameters ? model
            : throw new InvalidOperationException($"The model has {count} parameters; the reference was timed with {Parameters}.");
    }

    /// <summary>A prompt and an answer of random tokens about an image.</summary>
    public static TrainingRow Row(ProcessedImage image)
    {
        var random = new Random(2);
        var ids = Enumerable.Range(0, TrainingTokens).Select(_ => random.Next(3, Config.PadTokenId)).ToArray();
        ids[0] = Config.BosTokenId;
        ids.AsSpan(TokensBeforeImage, image.Tokens).Fill(-1);
        return new TrainingRow(ids, PromptTokens);
    }
}
