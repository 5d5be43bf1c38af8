using System.Collections.Concurrent;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Decodes and resizes images, and remembers the results as long as they fit.</summary>
/// <param name="shards">Where the encoded images are.</param>
/// <param name="processor">Decides how large a picture becomes.</param>
/// <param name="cacheBytes">Room for remembered pictures; what does not fit is made anew each time.</param>
internal sealed class ImageSource(ShardCache shards, ImageProcessor processor, long cacheBytes)
{
    private readonly ConcurrentDictionary<Sample, HdPicture> _cache = new(ReferenceEqualityComparer.Instance);
    private long _cached;

    /// <summary>Passes batches on, and has the shards fetched in time whose pictures are not remembered.</summary>
    /// <param name="spared">Whether a sample's picture is not going to be asked for.</param>
    public IEnumerable<IReadOnlyList<Sample>> Follow(IEnumerable<IReadOnlyList<Sample>> batches, Func<Sample, bool> spared) =>
        shards.Follow(batches, needed: sample => !_cache.ContainsKey(sample) && !spared(sample));

    /// <summary>A sample's picture. Safe to call from several threads.</summary>
    /// <exception cref="TrainingException">The image cannot be read.</exception>
    public HdPicture Get(Sample sample, CancellationToken cancellationToken)
    {
        if (_cache.TryGetValue(sample, out var known)) return known;
        var picture = Decode(sample, cancellationToken);
        if (Interlocked.Add(ref _cached, picture.Rgb.Length) > cacheBytes || !_cache.TryAdd(sample, picture))
            Interlocked.Add(ref _cached, -picture.Rgb.Length);
        return picture;
    }

    private HdPicture Decode(Sample sample, CancellationToken cancellationToken)
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
