using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>One sample of a WebDataset shard, without its image.</summary>
/// <param name="Shard">Shard of the sample.</param>
/// <param name="Content">Labels, image size, and offset and length of the encoded image in the shard.</param>
/// <param name="Tokens">Number of tokens of prompt, image and answer.</param>
public sealed record Sample(ShardInfo Shard, ShardSample Content, int Tokens)
{
    /// <summary>Labels of the image in the dataset.</summary>
    public SampleLabels Labels => Content.Labels;

    /// <summary>Answer that the model should give about the image.</summary>
    public Answer Answer => new(Labels.Title, Labels.Category, Labels.Price);
}
