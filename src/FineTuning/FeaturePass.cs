using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning;

/// <summary>Has a frozen vision tower look once at every image that the feature store does not know yet.</summary>
internal sealed class FeaturePass(TrainedModel trained, BatchReader reader, FeatureStore store, RunReporter reporter, TimeProvider time)
{
    private const int Together = 4;

    /// <summary>Fills the store as far as there is room; images that do not fit are seen by the tower in every pass.</summary>
    public void Run(IReadOnlyList<Sample> samples, CancellationToken cancellationToken)
    {
        var missing = samples.Where(sample => !store.Has(sample)).DistinctBy(sample => sample.Labels.Sha256, StringComparer.Ordinal).ToList();
        if (missing.Count == 0) return;
        reporter.Enter("caching-features");
        var started = time.GetTimestamp();
        var done = 0;
        trained.Model.eval();
        using var noGradient = no_grad();
        foreach (var images in reader.Images(missing.Chunk(Together), cancellationToken))
        {
            using var scope = NewDisposeScope();
            var input = new BatchPixels([.. images.Select(image => image.Image)]).AddTo(new ModelInput(zeros(1, 1)), trained.Device);
            var features = trained.Model.ImageFeatures(input.PixelValues!, input.ImageSizes!);
            foreach (var ((sample, image), values) in images.Zip(features))
                if (!store.Put(sample, ImageFeatures.Of(values, image.Height, image.Width))) return;
            done += images.Count;
            var elapsed = time.GetElapsedTime(started).TotalSeconds;
            reporter.Update(h => h with { SamplesPerSecond = done / elapsed, EtaSeconds = elapsed * (missing.Count - done) / done });
        }
    }
}
