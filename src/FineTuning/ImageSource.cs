using System.Collections.Concurrent;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Decodes and resizes images, and remembers the results as long as they fit.</summary>
/// <param name="processor">Decides how large a picture becomes.</param>
/// <param name="cacheBytes">Room for remembered pictures; what does not fit is made anew each time.</param>
internal sealed class ImageSource(ImageProcessor processor, long cacheBytes)
{
    private readonly ConcurrentDictionary<Sample, HdPicture> _cache = new(ReferenceEqualityComparer.Instance);
    private long _cached;

    /// <summary>A sample's picture. Safe to call from several threads.</summary>
    public HdPicture Get(Sample sample)
    {
        if (_cache.TryGetValue(sample, out var known)) return known;
        var picture = Decode(sample);
        if (Interlocked.Add(ref _cached, picture.Rgb.Length) > cacheBytes || !_cache.TryAdd(sample, picture))
            Interlocked.Add(ref _cached, -picture.Rgb.Length);
        return picture;
    }

    private HdPicture Decode(Sample sample)
    {
        try
        {
            using var image = ImageReader.Read(sample.ReadImage());
            return processor.Fit(image);
        }
        catch (UnreadableImageException e)
        {
            throw new TrainingException($"The image of {sample.Labels.Key} cannot be read: {e.Message} Ingest the dataset again.", e);
        }
    }
}
