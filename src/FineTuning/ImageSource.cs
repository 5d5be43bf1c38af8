using System.Collections.Concurrent;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Decodes and processes images, and remembers the results as long as they fit.</summary>
/// <param name="processor">Makes the views.</param>
/// <param name="cacheBytes">Room for remembered views; what does not fit is made anew each time.</param>
internal sealed class ImageSource(ImageProcessor processor, long cacheBytes)
{
    private readonly ConcurrentDictionary<Sample, ImageViews> _cache = new(ReferenceEqualityComparer.Instance as IEqualityComparer<Sample>);
    private long _cached;

    /// <summary>The views of a sample's image. Safe to call from several threads.</summary>
    public ImageViews Get(Sample sample)
    {
        if (_cache.TryGetValue(sample, out var known)) return known;
        var views = Process(sample);
        if (Interlocked.Add(ref _cached, views.Pixels.Length) > cacheBytes || !_cache.TryAdd(sample, views))
            Interlocked.Add(ref _cached, -views.Pixels.Length);
        return views;
    }

    private ImageViews Process(Sample sample)
    {
        try
        {
            using var image = ImageReader.Read(sample.ReadImage());
            var processed = processor.Process(image);
            return new ImageViews(PixelNormalization.ToBytes(processed.PixelValues), processed.Views, processed.Height, processed.Width, processed.Tokens);
        }
        catch (UnreadableImageException e)
        {
            throw new TrainingException($"The image of {sample.Labels.Key} cannot be read: {e.Message} Ingest the dataset again.", e);
        }
    }
}
