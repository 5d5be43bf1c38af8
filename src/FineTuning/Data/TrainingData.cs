using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>Samples of a run by split, read from the shards' indexes without any image.</summary>
/// <param name="Training">Training samples, at least one.</param>
/// <param name="Validation">Validation samples, at least one.</param>
/// <param name="Test">Test samples; may be empty.</param>
/// <param name="Dropped">Number of samples that are left out as too long.</param>
/// <param name="Misread">Number of samples whose answers the template reads as others.</param>
/// <param name="FirstMisread">The first of them, and the field that it reads with another value; null for none.</param>
/// <param name="Views">Number of views of all images that the vision tower computes; a few more where images are very tall.</param>
internal sealed record TrainingData(
    IReadOnlyList<Sample> Training, IReadOnlyList<Sample> Validation, IReadOnlyList<Sample> Test, int Dropped, int Misread,
    string? FirstMisread, long Views)
{
    // Merged patches of a view: 12 × 12.
    private const int TokensOfView = 144;

    /// <summary>Samples of all splits.</summary>
    public IEnumerable<Sample> All => Training.Concat(Validation).Concat(Test);

    /// <summary>Counts every sample's tokens and leaves out the samples that are too long.</summary>
    /// <param name="rows">Builder that counts the tokens of prompt and answer.</param>
    /// <param name="processor">Processor that counts the tokens of an image.</param>
    /// <param name="maxTokens">Maximum number of tokens of a sample.</param>
    /// <exception cref="TrainingException">
    /// No training or no validation sample is left, or an image is too thin for the processor; the message says what to do.
    /// </exception>
    public static TrainingData Plan(IReadOnlyList<ShardIndex> indexes, RowBuilder rows, ImageProcessor processor, int maxTokens)
    {
        var counted = Count(indexes, rows, processor);
        var shards = counted.ToLookup(shard => shard.Index.Shard.Split, shard => (shard.Index, shard.Tokens));
        SampleList Fitting(string split) => new([.. shards[split]], maxTokens);
        var data = new TrainingData(
            Fitting(Splits.Train), Fitting(Splits.Validation), Fitting(Splits.Test),
            counted.Sum(shard => shard.Tokens.Count(tokens => tokens > maxTokens)), counted.Sum(shard => shard.Misread),
            counted.Select(shard => shard.FirstMisread).FirstOrDefault(first => first is not null), counted.Sum(shard => shard.Views));
        Require(data.Training, shards[Splits.Train], "training", "its report says why rows were rejected", maxTokens);
        Require(data.Validation, shards[Splits.Validation], "validation", "raise dataset.validationFraction", maxTokens);
        return data;
    }

    private static (ShardIndex Index, int[] Tokens, int Misread, string? FirstMisread, long Views)[] Count(
        IReadOnlyList<ShardIndex> indexes, RowBuilder rows, ImageProcessor processor)
    {
        try
        {
            return [.. indexes.AsParallel().AsOrdered().Select(index =>
            {
                var (tokens, misread, firstMisread, views) = (new List<int>(index.Count), 0, (string?)null, 0L);
                foreach (var sample in index.Samples.Select(content => new Sample(index.Shard, content, Tokens: 0)))
                {
                    int[] images = [.. sample.Images.Select(image => processor.Tokens(image.Width, image.Height))];
                    tokens.Add(rows.Length(images, sample.Answer));
                    if (rows.Answers.Misread(sample.Answer) is { } field)
                    {
                        misread++;
                        firstMisread ??= $"{sample.Labels.Key}, field {field.Name}";
                    }
                    // A single crop has the pixels of the global view.
                    views += images.Sum(image => image == ProcessedImage.TokensOf(1, 1) ? 1 : image / TokensOfView);
                }
                return (index, tokens.ToArray(), misread, firstMisread, views);
            })];
        }
        catch (AggregateException e) when (e.InnerException is UnreadableImageException image)
        {
            throw new TrainingException($"An image of the dataset cannot be used: {image.Message} Ingest the dataset again.", e);
        }
    }

    private static void Require(
        IReadOnlyList<Sample> fitting, IEnumerable<(ShardIndex Index, int[] Tokens)> all, string split, string wayOut, int maxTokens)
    {
        if (fitting.Count > 0) return;
        var shortest = all.SelectMany(shard => shard.Tokens).DefaultIfEmpty(0).Min();
        throw new TrainingException(shortest == 0
            ? $"The dataset has no usable {split} samples; {wayOut}."
            : $"Every {split} sample is longer than {maxTokens} tokens; the shortest takes {shortest}. " +
              "Lower training.numCrops, or raise training.maxTokens as far as the model has room.");
    }
}
