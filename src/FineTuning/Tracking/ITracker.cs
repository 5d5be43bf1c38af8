using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Receiver of what a run measures: the run's own documents, or a tool that people compare runs with.</summary>
internal interface ITracker : IRunDocument
{
    /// <summary>State for the run's heartbeat; null for the run's own documents.</summary>
    TrackerStatus? Status => null;

    /// <summary>Queues a line without blocking.</summary>
    void Record(MetricsLine line);

    /// <summary>Queues the gallery after a step without blocking.</summary>
    void Record(GalleryStep gallery)
    {
    }

    /// <summary>Records the end of the run, with null for a stopped run. Only a flush may follow.</summary>
    Task EndAsync(TrainingResult? result, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>The model's answers to the samples of the gallery after a step; step 0 is the base model.</summary>
internal sealed record GalleryStep(int Step, IReadOnlyList<GalleryEntry> Samples);

/// <summary>Answer to a sample of the gallery.</summary>
/// <param name="Image">File name of the image in <see cref="RunBlobs.Samples"/>, with its format's extension; the same at every step.</param>
/// <param name="Content">The image as it was stored, in the format of its extension; may be several megabytes.</param>
/// <param name="Truth">The true answer.</param>
internal sealed record GalleryEntry(string Image, byte[] Content, string Truth, string Answer, Confidence Confidence);
