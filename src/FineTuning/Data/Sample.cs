using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>One sample of a WebDataset shard, as it is known without its image.</summary>
/// <param name="Shard">The shard it lies in.</param>
/// <param name="Content">Its labels, its image's size, and where in the shard the encoded image lies.</param>
/// <param name="Tokens">Tokens it takes: prompt, image and answer.</param>
public sealed record Sample(ShardInfo Shard, ShardSample Content, int Tokens)
{
    /// <summary>What the dataset says about the image.</summary>
    public SampleLabels Labels => Content.Labels;

    /// <summary>What the model should say about the image.</summary>
    public Answer Answer => new(Labels.Title, Labels.Category, Labels.Price);
}
