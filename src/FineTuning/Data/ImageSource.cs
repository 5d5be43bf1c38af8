using System.Collections.Concurrent;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Decodes and resizes images, and caches the results within a budget.</summary>
/// <param name="shards">Cache of the shards that hold the encoded images.</param>
/// <param name="processor">Processor that resizes the images.</param>
/// <param name="cacheBytes">Maximum bytes of cached images; others are decoded again each time.</param>
internal sealed class ImageSource(ShardCache shards, ImageProcessor processor, long cacheBytes)
{
    private readonly ConcurrentDictionary<Sample, PaddedImage> _cache = new(ReferenceEqualityComparer.Instance);
    private long _cached;

    /// <summary>Yields the batches, and prefetches the shards of images that are not cached.</summary>
    /// <param name="spared">True for a sample whose image will not be requested.</param>
    public IEnumerable<IReadOnlyList<Sample>> Follow(IEnumerable<IReadOnlyList<Sample>> batches, Func<Sample, bool> spared) =>
        shards.Follow(batches, needed: sample => !_cache.ContainsKey(sample) && !spared(sample));

    /// <summary>Returns a sample's resized image. Safe for concurrent use.</summary>
    /// <exception cref="TrainingException">The image cannot be read.</exception>
    public PaddedImage Get(Sample sample, CancellationToken cancellationToken)
    {
        if (_cache.TryGetValue(sample, out var known)) return known;
        var picture = Decode(sample, cancellationToken);
        // Reserve first, and give back when over budget or when another thread has added the same image.
        if (Interlocked.Add(ref _cached, picture.Rgb.Length) > cacheBytes || !_cache.TryAdd(sample, picture))
            Interlocked.Add(ref _cached, -picture.Rgb.Length);
        return picture;
    }

    private PaddedImage Decode(Sample sample, CancellationToken cancellationToken)
    {
        try
        {
            using var image = ImageReader.Read(shards.ReadImage(sample, cancellationToken));
            return processor.Fit(image);
        }
        catch (UnreadableImageException e)
        {
            throw new TrainingException($"The image of {sample.Labels.Key} cannot be read: {e.Message} Ingest the dataset again.", e);
        }
    }
}
