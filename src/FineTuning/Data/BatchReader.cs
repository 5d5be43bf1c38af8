using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Vision;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>Prepares batches on background threads, a few ahead of the computing thread.</summary>
/// <param name="padding">Id that pads shorter rows.</param>
/// <param name="packing">Lays the samples of a batch end to end in place of padding.</param>
/// <param name="features">Cached features of a frozen vision tower; null when the tower computes them each time.</param>
internal sealed class BatchReader(
    ImageSource images, RowBuilder rows, int padding, bool packing = false, VisionFeatureCache? features = null)
{
    // Batches that wait. Besides them, memory holds the one in preparation and those of the step being computed.
    private const int Ahead = 3;

    /// <summary>Reads the batches, or micro-batches if these are given, in order. Ending the enumeration stops the preparation.</summary>
    /// <param name="augmentation">
    /// Augments each image by a seed, the sample's position in the run, which starts at Start, and the image's number in the sample; null
    /// leaves the images unchanged.
    /// </param>
    /// <exception cref="TrainingException">A shard is missing, or an image cannot be read.</exception>
    public IEnumerable<TrainingBatch> Read(
        IEnumerable<IReadOnlyList<Sample>> batches, (int Seed, long Start)? augmentation, CancellationToken cancellationToken)
    {
        var position = augmentation?.Start ?? 0;
        return Prepare(batches, (samples, token) =>
        {
            // No lock: batches are prepared one after the other, in order, and only their samples in parallel.
            var start = position;
            position += samples.Count;
            if (augmentation is null && Features(samples) is { } known) return new TrainingBatch(known, padding, packing: packing);
            return new TrainingBatch([.. InParallel(samples, (sample, i) => Row(sample, [.. sample.Images.Select((stored, number) =>
            {
                var image = images.Get(sample, stored, token);
                var shown = augmentation is { } change ? Augmentation.Of(change.Seed, start + i, number).Apply(image) : image;
                return ImageProcessor.Views(shown);
            })]))], padding, packing: packing);
        }, cancellationToken);
    }

    /// <summary>Reads the samples' images batch by batch, to compute their features.</summary>
    /// <exception cref="TrainingException">A shard is missing, or an image cannot be read.</exception>
    public IEnumerable<IReadOnlyList<(ShardImage Stored, ProcessedImage Image)>> Images(
        IEnumerable<IReadOnlyList<Sample>> batches, CancellationToken cancellationToken) =>
        Prepare(batches, IReadOnlyList<(ShardImage, ProcessedImage)> (samples, token) =>
            [.. InParallel(samples, (sample, _) => sample.Images.Zip(Views(sample, token))).SelectMany(images => images)],
            cancellationToken);

    /// <summary>Makes a batch of prompts without answers, padded on the left, for generation.</summary>
    public TrainingBatch Prompts(IEnumerable<Sample> samples, CancellationToken cancellationToken = default) =>
        new([.. samples.Select(sample => Row(sample, Views(sample, cancellationToken)))
            .Select(row => (row.Row.PromptOnly(), row.Images))], padding, padLeft: true);

    /// <summary>Reads the features of the samples' images; null unless all are cached.</summary>
    private List<(TrainingRow Row, IReadOnlyList<ImageFeatures> Images)>? Features(IReadOnlyList<Sample> samples)
    {
        if (features is null) return null;
        var known = InParallel(samples, (sample, _) => (Sample: sample, Images: sample.Images.Select(features.Get).ToList())).ToList();
        if (known.Any(sample => sample.Images.Contains(null))) return null;
        return [.. known.Select(sample => (Row(sample.Sample, [.. sample.Images.Select(image => image!.Tokens)]),
            (IReadOnlyList<ImageFeatures>)sample.Images!))];
    }

    private IReadOnlyList<ProcessedImage> Views(Sample sample, CancellationToken cancellationToken) =>
        [.. sample.Images.Select(image => ImageProcessor.Views(images.Get(sample, image, cancellationToken)))];

    private (TrainingRow Row, IReadOnlyList<ProcessedImage> Images) Row(Sample sample, IReadOnlyList<ProcessedImage> images) =>
        (Row(sample, [.. images.Select(image => image.Tokens)]), images);

    private TrainingRow Row(Sample sample, IReadOnlyList<int> imageTokens)
    {
        var row = rows.Row(imageTokens, sample.Answer);
        return row.Ids.Length == sample.Tokens
            ? row
            : throw new TrainingException(
                $"The index of the shard {sample.Shard.Blob} does not fit the images of {sample.Labels.Key}; ingest the dataset again.");
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
                foreach (var samples in images.Follow(batches, sample => features is not null && sample.Images.All(features.Has)))
                {
                    ready.Add(prepare(samples, stop.Token), stop.Token);
                }
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
            // Throws the preparation's failure after the batches that were ready before it.
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

/// <summary>Decodes and resizes images, and caches the results within a budget.</summary>
/// <param name="shards">Cache of the shards that hold the encoded images.</param>
/// <param name="processor">Processor that resizes the images.</param>
/// <param name="cacheBytes">Maximum bytes of cached images; others are decoded again each time.</param>
internal sealed class ImageSource(ShardCache shards, ImageProcessor processor, long cacheBytes)
{
    private readonly ConcurrentDictionary<string, PaddedImage> _cache = new(StringComparer.Ordinal);
    private long _cached;

    /// <summary>Yields the batches, and prefetches the shards of images that are not cached.</summary>
    /// <param name="spared">True for a sample whose images will not be requested.</param>
    public IEnumerable<IReadOnlyList<Sample>> Follow(IEnumerable<IReadOnlyList<Sample>> batches, Func<Sample, bool> spared) =>
        shards.Follow(batches, needed: sample => !spared(sample) && !sample.Images.All(image => _cache.ContainsKey(image.Sha256)));

    /// <summary>Returns an image of a sample, resized. Safe for concurrent use.</summary>
    /// <exception cref="TrainingException">The image cannot be read.</exception>
    public PaddedImage Get(Sample sample, ShardImage stored, CancellationToken cancellationToken)
    {
        if (_cache.TryGetValue(stored.Sha256, out var known)) return known;
        var image = Decode(sample, stored, cancellationToken);
        // Reserve first, and give back when over budget or when another thread has added the same image.
        if (Interlocked.Add(ref _cached, image.Rgb.Length) > cacheBytes || !_cache.TryAdd(stored.Sha256, image))
            Interlocked.Add(ref _cached, -image.Rgb.Length);
        return image;
    }

    private PaddedImage Decode(Sample sample, ShardImage stored, CancellationToken cancellationToken)
    {
        try
        {
            using var image = ImageReader.Read(shards.ReadImage(sample, stored, cancellationToken));
            return processor.Fit(image);
        }
        catch (UnreadableImageException e)
        {
            throw new TrainingException($"An image of {sample.Labels.Key} cannot be read: {e.Message} Ingest the dataset again.", e);
        }
    }
}

/// <summary>Small change of an image that keeps its content: a mirror and a shift, with uncovered pixels white like the padding.</summary>
/// <param name="Mirrored">True when left and right are swapped.</param>
/// <param name="Right">Shift to the right, as a share of the width.</param>
/// <param name="Down">Shift downwards, as a share of the height.</param>
internal readonly record struct Augmentation(bool Mirrored, double Right, double Down)
{
    private const double MaxShift = 1.0 / 12;

    /// <summary>Draws an augmentation: mirrored with probability ½, shifted uniformly by up to 1/12 of each side.</summary>
    /// <param name="position">Position of the sample in the run, over all epochs.</param>
    /// <param name="image">Number of the image in the sample, from 0.</param>
    public static Augmentation Of(int seed, long position, int image = 0)
    {
        var random = SeededRandom.At(seed, position, image);
        return new Augmentation(random.Next(2) == 1, Shift(random), Shift(random));
    }

    /// <summary>Applies the augmentation to a copy of the image.</summary>
    public PaddedImage Apply(PaddedImage image)
    {
        var (width, height) = (image.Width, image.Height);
        var (right, down) = ((int)Math.Round(Right * width), (int)Math.Round(Down * height));
        var rgb = new byte[image.Rgb.Length];
        rgb.AsSpan().Fill(255);
        // Pixel (x, y) of the result is pixel (x - right, y - down) of the image, counted from the right edge where the image is mirrored.
        var (first, count) = (Math.Max(0, right), width - Math.Abs(right));
        for (var y = Math.Max(0, down); y < Math.Min(height, height + down); y++)
        {
            var target = Row(rgb, width, y).Slice(first, count);
            // Column x - right, or width - 1 - (x - right) for x from the last down.
            var from = Mirrored ? width - (first - right) - count : first - right;
            Row(image.Rgb, width, y - down).Slice(from, count).CopyTo(target);
            if (Mirrored) target.Reverse();
        }
        return image with { Rgb = rgb };
    }

    // A row of interleaved RGB.
    private static Span<Rgb24> Row(byte[] rgb, int width, int y) =>
        MemoryMarshal.Cast<byte, Rgb24>(rgb.AsSpan(y * width * 3, width * 3));

    private static double Shift(Random random) => (2 * random.NextDouble() - 1) * MaxShift;
}
