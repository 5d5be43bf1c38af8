using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Receiver of what a run measures: the run's own documents, or a tool that people compare runs with.</summary>
internal interface ITracker : IRunDocument
{
    /// <summary>State for the run's heartbeat; null for the run's own documents.</summary>
    TrackerStatus? Status => null;

    /// <summary>Removes what an earlier attempt wrote of later steps, before anything is recorded.</summary>
    /// <param name="step">Step that the run resumes from, whose records are kept; null when it begins: everything is removed.</param>
    Task CutAsync(int? step, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Queues a line without blocking.</summary>
    void Record(MetricsLine line);

    /// <summary>Queues the gallery after a step without blocking.</summary>
    void Record(GalleryStep gallery)
    {
    }

    /// <summary>Queues the answers of an evaluation without blocking.</summary>
    void Record(EvaluationStep evaluation)
    {
    }

    /// <summary>Records the end of the run, with null for a stopped run. Only a flush may follow.</summary>
    Task EndAsync(TrainingResult? result, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>The model's answers to the samples of the gallery after a step; step 0 is the base model.</summary>
internal sealed record GalleryStep(int Step, IReadOnlyList<GalleryEntry> Samples);

/// <summary>The model's answers to the samples of a split that were chosen to evaluate a step; step 0 is the base model.</summary>
/// <param name="Split">One of <see cref="Splits"/>.</param>
internal sealed record EvaluationStep(int Step, string Split, IReadOnlyList<EvaluatedAnswer> Answers);

/// <summary>Answer to a sample of the gallery.</summary>
/// <param name="Image">File name of the image in <see cref="RunBlobs.Samples"/>, the same at every step.</param>
/// <param name="Content">The image as it was stored, in the format of its extension; may be several megabytes.</param>
/// <param name="Truth">The true answer.</param>
internal sealed record GalleryEntry(string Image, byte[] Content, string Truth, string Answer, Confidence Confidence);
