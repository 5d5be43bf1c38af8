using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Prepares batches on background threads, a few ahead of the computing thread.</summary>
/// <param name="padding">Id that pads shorter rows.</param>
/// <param name="packing">Lays the samples of a batch end to end in place of padding.</param>
/// <param name="features">Cached features of a frozen vision tower; null when the tower computes them each time.</param>
internal sealed class BatchReader(ImageSource images, RowBuilder rows, int padding, bool packing = false, FeatureStore? features = null)
{
    private const int Ahead = 3;

    /// <summary>Reads the batches, or micro-batches if these are given, in order. Ending the enumeration stops the preparation.</summary>
    /// <param name="augmentation">
    /// Augments each image by a seed and the sample's position in the run, which starts at Start; null leaves the images unchanged.
    /// </param>
    /// <exception cref="TrainingException">A shard is missing, or an image cannot be read.</exception>
    public IEnumerable<TrainingBatch> Read(
        IEnumerable<IReadOnlyList<Sample>> batches, (int Seed, long Start)? augmentation, CancellationToken cancellationToken)
    {
        var position = augmentation?.Start ?? 0;
        return Prepare(batches, (samples, token) =>
        {
            var start = position;
            position += samples.Count;
            if (augmentation is null && Features(samples) is { } known) return new TrainingBatch(known, padding, packing: packing);
            return new TrainingBatch([.. InParallel(samples, (sample, i) =>
            {
                var picture = images.Get(sample, token);
                var image = augmentation is { } change ? Augmentation.Of(change.Seed, start + i).Apply(picture) : picture;
                return Row(sample, ImageProcessor.Views(image));
            })], padding, packing: packing);
        }, cancellationToken);
    }

    /// <summary>Reads the samples' images batch by batch, to compute their features.</summary>
    /// <exception cref="TrainingException">A shard is missing, or an image cannot be read.</exception>
    public IEnumerable<IReadOnlyList<(Sample Sample, ProcessedImage Image)>> Images(
        IEnumerable<IReadOnlyList<Sample>> batches, CancellationToken cancellationToken) =>
        Prepare(batches, IReadOnlyList<(Sample, ProcessedImage)> (samples, token) =>
            [.. InParallel(samples, (sample, _) => (sample, ImageProcessor.Views(images.Get(sample, token))))], cancellationToken);

    /// <summary>Makes a batch of prompts without answers, padded on the left, for generation.</summary>
    public TrainingBatch Prompts(IEnumerable<Sample> samples, CancellationToken cancellationToken = default) =>
        new([.. samples.Select(sample => Row(sample, ImageProcessor.Views(images.Get(sample, cancellationToken))))
            .Select(row => (row.Row.PromptOnly(), row.Image))], padding, padLeft: true);

    /// <summary>Reads the features of the samples' images; null unless all are cached.</summary>
    private IReadOnlyList<(TrainingRow Row, ImageFeatures Image)>? Features(IReadOnlyList<Sample> samples)
    {
        if (features is null) return null;
        var known = InParallel(samples, (sample, _) => (Sample: sample, Image: features.Get(sample))).ToList();
        return known.All(one => one.Image is not null) ? [.. known.Select(one => (Row(one.Sample, one.Image!.Tokens), one.Image!))] : null;
    }

    private (TrainingRow Row, ProcessedImage Image) Row(Sample sample, ProcessedImage image) => (Row(sample, image.Tokens), image);

    private TrainingRow Row(Sample sample, int imageTokens)
    {
        var row = rows.Row(imageTokens, sample.Answer);
        return row.Ids.Length == sample.Tokens
            ? row
            : throw new TrainingException(
                $"The index of the shard {sample.Shard.Blob} does not fit the image of {sample.Labels.Key}; ingest the dataset again.");
    }

    private static ParallelQuery<T> InParallel<T>(IReadOnlyList<Sample> samples, Func<Sample, int, T> prepare) =>
        samples.AsParallel().AsOrdered().Select(prepare);

    private IEnumerable<T> Prepare<T>(
        IEnumerable<IReadOnlyList<Sample>> batches, Func<IReadOnlyList<Sample>, CancellationToken, T> prepare,
        CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var ready = new BlockingCollection<T>(Ahead);
        var producer = Task.Run(() =>
        {
            try
            {
                foreach (var samples in images.Follow(batches, sample => features?.Has(sample) == true)) ready.Add(prepare(samples, stop.Token), stop.Token);
            }
            // A parallel query wraps the first failure; the reader gets the failure itself, with its stack trace.
            catch (AggregateException e)
            {
                ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            }
            finally
            {
                ready.CompleteAdding();
            }
        }, CancellationToken.None);
        try
        {
            foreach (var batch in ready.GetConsumingEnumerable(cancellationToken)) yield return batch;
            producer.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
            // Waits without throwing: the preparation must not use the disposed collection.
            Task.WhenAny(producer).GetAwaiter().GetResult();
        }
    }
}
