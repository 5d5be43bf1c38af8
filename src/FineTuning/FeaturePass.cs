using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Runs a frozen vision tower once over every image that the feature store lacks.</summary>
internal sealed class FeaturePass(Phi3VisionModel model, BatchReader reader, FeatureStore store, RunReporter reporter, TimeProvider time)
{
    private const int Together = 4;

    /// <summary>Fills the store up to its budget; the tower recomputes the features of other images in every epoch.</summary>
    public void Run(IReadOnlyList<Sample> samples, CancellationToken cancellationToken)
    {
        var missing = samples.Where(sample => !store.Has(sample)).DistinctBy(sample => sample.Labels.Sha256, StringComparer.Ordinal).ToList();
        if (missing.Count == 0) return;
        reporter.Enter("caching-features");
        var started = time.GetTimestamp();
        var done = 0;
        foreach (var images in reader.Images(missing.Chunk(Together), cancellationToken))
        {
            foreach (var (sample, image) in images)
                if (!store.Put(sample, model.Encode(image))) return;
            done += images.Count;
            var elapsed = time.GetElapsedTime(started).TotalSeconds;
            reporter.Update(h => h with { SamplesPerSecond = done / elapsed, EtaSeconds = elapsed * (missing.Count - done) / done });
        }
    }
}
