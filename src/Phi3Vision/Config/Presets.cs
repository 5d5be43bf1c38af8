namespace FunctionsPipeline.Phi3Vision;

/// <summary>Configurations to start from.</summary>
public static class Presets
{
    /// <summary>The published Phi-3-Vision-128K-Instruct: 4.15 billion parameters.</summary>
    public static Phi3VisionConfig Phi3Vision128K { get; } = new()
    {
        HiddenSize = 3072,
        IntermediateSize = 8192,
        NumHiddenLayers = 32,
        NumAttentionHeads = 32,
        NumKeyValueHeads = 32,
        VocabSize = 32064,
        MaxPositionEmbeddings = 131072,
        OriginalMaxPositionEmbeddings = 4096,
        SlidingWindow = 131072,
        RopeScaling = new RopeScaling
        {
            ShortFactor =
            [
                1.05, 1.05, 1.05, 1.1, 1.1, 1.1, 1.25, 1.25, 1.4, 1.45, 1.55, 1.85, 1.9, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                2, 2, 2, 2, 2, 2, 2, 2, 2.1, 2.1, 2.2, 2.35, 2.35, 2.35, 2.35, 2.4, 2.4, 2.65, 2.7, 2.9, 2.95, 3.05, 3.05, 3.05,
            ],
            LongFactor =
            [
                1.03, 1.05, 1.05, 1.08, 1.23, 1.23, 1.3, 1.45, 1.6, 1.65, 1.9, 2.86, 3.69, 5.42, 5.49, 5.49,
                9.09, 11.58, 15.66, 15.77, 15.79, 18.36, 21.99, 23.08, 30.01, 32.35, 32.59, 35.56, 39.95, 53.84, 56.2, 57.95,
                59.29, 59.77, 59.92, 61.19, 61.96, 62.5, 63.37, 63.48, 63.48, 63.66, 63.85, 64.08, 64.76, 64.8, 64.81, 64.81,
            ],
        },
    };

    /// <summary>
    /// The same architecture at toy size, for pipelines that run on a CPU in minutes. Made for the tokenizers of <see cref="TokenizerTrainer"/>:
    /// the padding token is the first of its added tokens.
    /// </summary>
    /// <param name="vocabularySize">The tokenizer's vocabulary size.</param>
    public static Phi3VisionConfig Tiny(int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, SpecialTokens.SmallestVocabulary);
        return new Phi3VisionConfig
        {
            HiddenSize = 128,
            IntermediateSize = 344,
            NumHiddenLayers = 2,
            NumAttentionHeads = 4,
            NumKeyValueHeads = 4,
            VocabSize = vocabularySize,
            PadTokenId = vocabularySize - SpecialTokens.Added.Count,
            MaxPositionEmbeddings = 4096,
            OriginalMaxPositionEmbeddings = 4096,
            SlidingWindow = 4096,
            // 4096 positions are within the original range, so that every factor is 1: plain rotary positions.
            RopeScaling = new RopeScaling { ShortFactor = [.. Enumerable.Repeat(1.0, 16)], LongFactor = [.. Enumerable.Repeat(1.0, 16)] },
            Clip = new ClipConfig { HiddenSize = 96, IntermediateSize = 256, NumHiddenLayers = 4, NumAttentionHeads = 4, ProjectionDim = 96 },
        };
    }
}
