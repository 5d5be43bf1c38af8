using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>Samples of a run by split, read from the shards' indexes without any image.</summary>
/// <param name="Training">Training samples, at least one.</param>
/// <param name="Validation">Validation samples, at least one.</param>
/// <param name="Test">Test samples; may be empty.</param>
/// <param name="Dropped">Number of samples that are left out as too long.</param>
internal sealed record TrainingData(
    IReadOnlyList<Sample> Training, IReadOnlyList<Sample> Validation, IReadOnlyList<Sample> Test, int Dropped)
{
    // Merged patches of a view: 12 × 12.
    private const int TokensOfView = 144;

    /// <summary>Number of views of all images that the vision tower computes; a few more where images are very tall.</summary>
    public long Views { get; private init; }

    /// <summary>Samples of all splits.</summary>
    public IEnumerable<Sample> All => [.. Training, .. Validation, .. Test];

    /// <summary>Counts every sample's tokens and leaves out the samples that are too long.</summary>
    /// <param name="rows">Builder that counts the tokens of prompt and answer.</param>
    /// <param name="processor">Processor that counts the tokens of an image.</param>
    /// <param name="maxTokens">Maximum number of tokens of a sample.</param>
    /// <exception cref="TrainingException">
    /// No training or no validation sample is left, or an image is too thin for the processor; the message says what to do.
    /// </exception>
    public static TrainingData Plan(IReadOnlyList<ShardIndex> indexes, RowBuilder rows, ImageProcessor processor, int maxTokens)
    {
        var samples = Samples(indexes, rows, processor).ToLookup(sample => sample.Shard.Split);
        IReadOnlyList<Sample> Fitting(string split) => [.. samples[split].Where(sample => sample.Tokens <= maxTokens)];
        var data = new TrainingData(Fitting(Splits.Train), Fitting(Splits.Validation), Fitting(Splits.Test),
            samples.Sum(split => split.Count(sample => sample.Tokens > maxTokens)));
        data = data with { Views = data.All.Sum(sample => ViewsOf(processor.Tokens(sample.Content.Width, sample.Content.Height))) };
        Require(data.Training, samples[Splits.Train], "training", "its report says why rows were rejected", maxTokens);
        Require(data.Validation, samples[Splits.Validation], "validation", "raise dataset.validationFraction", maxTokens);
        return data;
    }

    // A single crop has the pixels of the global view.
    private static int ViewsOf(int imageTokens) => imageTokens == ProcessedImage.TokensOf(1, 1) ? 1 : imageTokens / TokensOfView;

    private static List<Sample> Samples(IReadOnlyList<ShardIndex> indexes, RowBuilder rows, ImageProcessor processor)
    {
        try
        {
            return [.. indexes.SelectMany(index => index.Samples.Select(content => new Sample(index.Shard, content, Tokens: 0)))
                .AsParallel().AsOrdered().Select(sample => sample with
                {
                    Tokens = rows.Length(processor.Tokens(sample.Content.Width, sample.Content.Height), sample.Answer),
                })];
        }
        catch (AggregateException e) when (e.InnerException is UnreadableImageException image)
        {
            throw new TrainingException($"An image of the dataset cannot be used: {image.Message} Ingest the dataset again.", e);
        }
    }

    private static void Require(IReadOnlyList<Sample> fitting, IEnumerable<Sample> all, string split, string wayOut, int maxTokens)
    {
        if (fitting.Count > 0) return;
        var shortest = all.Select(sample => sample.Tokens).DefaultIfEmpty(0).Min();
        throw new TrainingException(shortest == 0
            ? $"The dataset has no usable {split} samples; {wayOut}."
            : $"Every {split} sample is longer than {maxTokens} tokens; the shortest takes {shortest}. " +
              "Lower training.numCrops, or raise training.maxTokens as far as the model has room.");
    }
}

/// <summary>One sample of a WebDataset shard, without its image.</summary>
/// <param name="Shard">Shard of the sample.</param>
/// <param name="Content">Labels, image size, and offset and length of the encoded image in the shard.</param>
/// <param name="Tokens">Number of tokens of prompt, image and answer.</param>
public sealed record Sample(ShardInfo Shard, ShardSample Content, int Tokens)
{
    /// <summary>Labels of the image in the dataset.</summary>
    public SampleLabels Labels => Content.Labels;

    /// <summary>Answer that the model should give about the image.</summary>
    public Answer Answer => Labels.ToAnswer();
}

/// <summary>Index of a shard's samples.</summary>
/// <param name="Shard">Shard of the samples.</param>
/// <param name="Samples">Samples in the order of the shard.</param>
public sealed record ShardIndex(ShardInfo Shard, IReadOnlyList<ShardSample> Samples)
{
    private const int ReadAtOnce = 8;

    /// <summary>Reads the indexes of all shards without fetching a shard.</summary>
    /// <returns>The indexes in the order of the shards.</returns>
    /// <exception cref="TrainingException">An index is missing or damaged.</exception>
    public static async Task<IReadOnlyList<ShardIndex>> ReadAsync(
        IRunStore store, IReadOnlyList<ShardInfo> shards, CancellationToken cancellationToken)
    {
        var indexes = new ShardIndex[shards.Count];
        await Parallel.ForAsync(0, shards.Count,
            new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancellationToken },
            async (i, token) => indexes[i] = await ReadAsync(store, shards[i], token));
        return indexes;
    }

    private static async Task<ShardIndex> ReadAsync(IRunStore store, ShardInfo shard, CancellationToken cancellationToken)
    {
        var name = DatasetBlobs.ShardIndex(shard.Blob);
        var lines = await store.ReadAsync(Containers.Datasets, name, cancellationToken)
            ?? throw new TrainingException($"The shard index {name} is gone; ingest the dataset again.");
        var samples = new List<ShardSample>(shard.Samples);
        using var reader = new StreamReader(new MemoryStream(lines));
        while (await reader.ReadLineAsync(cancellationToken) is { } line) samples.Add(Parse(line, name, samples.Count + 1));
        return samples.Count == shard.Samples
            ? new ShardIndex(shard, samples)
            : throw new TrainingException(
                $"The shard index {name} lists {samples.Count} of {shard.Samples} samples; ingest the dataset again.");
    }

    private static ShardSample Parse(string line, string name, int number)
    {
        try
        {
            var sample = JsonSerializer.Deserialize<ShardSample>(line, PipelineJson.Compact);
            return sample is { Labels: not null, Width: > 0, Height: > 0, Offset: >= 0, Length: > 0 }
                ? sample
                : throw new JsonException("it is no sample");
        }
        catch (JsonException e)
        {
            throw new TrainingException($"Line {number} of the shard index {name} is not what it should be: {e.Message}", e);
        }
    }
}
