using FunctionsPipeline.Phi3Vision.Text;

namespace FunctionsPipeline.Phi3Vision.Config;

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
            // The numbers of the published config.json, 48 pairs of a head's 96 dimensions.
            // The long factors are float32 numbers printed as doubles: 1.03 appears as 1.0299999713897705.
            ShortFactor =
            [
                1.05, 1.05, 1.05, 1.1, 1.1, 1.1, 1.25, 1.25, 1.4, 1.45, 1.55, 1.85, 1.9, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                2, 2, 2, 2, 2, 2, 2, 2, 2.1, 2.1, 2.2, 2.35, 2.35, 2.35, 2.35, 2.4, 2.4, 2.65, 2.7, 2.9, 2.95, 3.05, 3.05, 3.05,
            ],
            LongFactor =
            [
                1.0299999713897705, 1.0499999523162842, 1.0499999523162842, 1.0799999237060547, 1.2299998998641968, 1.2299998998641968,
                1.2999999523162842, 1.4499999284744263, 1.5999999046325684, 1.6499998569488525, 1.8999998569488525, 2.859999895095825,
                3.68999981880188, 5.419999599456787, 5.489999771118164, 5.489999771118164, 9.09000015258789, 11.579999923706055,
                15.65999984741211, 15.769999504089355, 15.789999961853027, 18.360000610351562, 21.989999771118164, 23.079999923706055,
                30.009998321533203, 32.35000228881836, 32.590003967285156, 35.56000518798828, 39.95000457763672, 53.840003967285156,
                56.20000457763672, 57.95000457763672, 59.29000473022461, 59.77000427246094, 59.920005798339844, 61.190006256103516,
                61.96000671386719, 62.50000762939453, 63.3700065612793, 63.48000717163086, 63.48000717163086, 63.66000747680664,
                63.850006103515625, 64.08000946044922, 64.760009765625, 64.80001068115234, 64.81001281738281, 64.81001281738281,
            ],
        },
    };

    /// <summary>
    /// The same architecture at toy size, for pipelines that run on a CPU in minutes. Fits the tokenizers of
    /// <see cref="TokenizerTrainer"/>, whose first added token is the padding token.
    /// </summary>
    /// <param name="vocabularySize">The tokenizer's vocabulary size.</param>
    public static Phi3VisionConfig Tiny(int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, SpecialTokens.SmallestVocabulary);
        return new Phi3VisionConfig
        {
            HiddenSize = 128,
            IntermediateSize = 256,
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
            Clip = new ClipConfig
            {
                HiddenSize = 64,
                IntermediateSize = 256,
                NumHiddenLayers = 3,
                NumAttentionHeads = 2,
                ProjectionDim = 64,
            },
        };
    }
}
