using System.Collections;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Samples of a split in the order of their shards. Memory holds 12 bytes of each, and the shards' indexes 8; labels and places of images
/// are read from the local indexes whenever a sample is requested. Safe for concurrent use.
/// </summary>
internal sealed class SampleList : IReadOnlyList<Sample>
{
    private readonly IReadOnlyList<ShardIndex> _indexes;
    private readonly (int Index, int Number, int Tokens)[] _places;

    /// <param name="shards">Indexes of the split's shards, with the tokens of each of their samples.</param>
    /// <param name="maxTokens">Maximum number of tokens of a sample; longer ones are left out.</param>
    public SampleList(IReadOnlyList<(ShardIndex Index, int[] Tokens)> shards, int maxTokens)
    {
        _indexes = [.. shards.Select(shard => shard.Index)];
        _places = new (int, int, int)[shards.Sum(shard => shard.Tokens.Count(tokens => tokens <= maxTokens))];
        var next = 0;
        for (var i = 0; i < shards.Count; i++)
        {
            for (var number = 0; number < shards[i].Tokens.Length; number++)
                if (shards[i].Tokens[number] is var tokens && tokens <= maxTokens) _places[next++] = (i, number, tokens);
        }
    }

    public int Count => _places.Length;

    public Sample this[int i]
    {
        get
        {
            var (index, number, tokens) = _places[i];
            using var file = _indexes[index].Open();
            return new Sample(_indexes[index].Shard, _indexes[index].Read(file, number), tokens);
        }
    }

    public IEnumerator<Sample> GetEnumerator()
    {
        for (var i = 0; i < Count;)
        {
            var index = _places[i].Index;
            using var file = _indexes[index].Open();
            for (; i < Count && _places[i].Index == index; i++)
                yield return new Sample(_indexes[index].Shard, _indexes[index].Read(file, _places[i].Number), _places[i].Tokens);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>One sample of a WebDataset shard, without its images.</summary>
/// <param name="Shard">Shard of the sample.</param>
/// <param name="Content">Labels, and size, offset and length of each encoded image in the shard.</param>
/// <param name="Tokens">Number of tokens of prompt, images and answer.</param>
public sealed record Sample(ShardInfo Shard, ShardSample Content, int Tokens)
{
    /// <summary>Labels of the sample in the dataset.</summary>
    public SampleLabels Labels => Content.Labels;

    /// <summary>Images in the order of the prompt, at least one.</summary>
    public IReadOnlyList<ShardImage> Images =>
    [
        new(Labels.Sha256, Content.Width, Content.Height, Content.Offset, Content.Length), .. Content.MoreImages ?? [],
    ];

    /// <summary>Answer that the model should give about the images.</summary>
    public Answer Answer => Labels.ToAnswer();
}
