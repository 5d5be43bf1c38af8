using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>The samples of a run, by what they are used for; known from the shards' indexes, without an image.</summary>
/// <param name="Training">At least one.</param>
/// <param name="Validation">At least one.</param>
/// <param name="Test">May be empty.</param>
/// <param name="Dropped">Samples that are left out as too long.</param>
internal sealed record TrainingData(
    IReadOnlyList<Sample> Training, IReadOnlyList<Sample> Validation, IReadOnlyList<Sample> Test, int Dropped)
{
    /// <summary>Counts every sample's tokens and leaves out, as a whole, those that take more than there is room for.</summary>
    /// <param name="rows">Knows the prompt and the answers.</param>
    /// <param name="processor">Knows how many tokens an image takes.</param>
    /// <param name="maxTokens">Tokens of a sample at most.</param>
    /// <exception cref="TrainingException">
    /// No training or no validation sample is left, or an image is too thin for the processor; it says what to do.
    /// </exception>
    public static TrainingData Plan(IReadOnlyList<ShardIndex> indexes, RowBuilder rows, ImageProcessor processor, int maxTokens)
    {
        var samples = Samples(indexes, rows, processor).ToLookup(sample => sample.Shard.Split);
        IReadOnlyList<Sample> Fitting(string split) => [.. samples[split].Where(sample => sample.Tokens <= maxTokens)];
        var data = new TrainingData(Fitting(Splits.Train), Fitting(Splits.Validation), Fitting(Splits.Test),
            samples.Sum(split => split.Count(sample => sample.Tokens > maxTokens)));
        Require(data.Training, samples[Splits.Train], "training", "its report says why rows were rejected", maxTokens);
        Require(data.Validation, samples[Splits.Validation], "validation", "raise dataset.validationFraction", maxTokens);
        return data;
    }

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
