namespace FunctionsPipeline.Contracts;

/// <summary>
/// Answers of a run's model to a few validation samples over the course of training: <c>runs/{run}/samples/samples.json</c>.
/// </summary>
public sealed record SampleGallery(IReadOnlyList<GallerySample> Samples)
{
    /// <summary>Name of the document under <see cref="RunBlobs.Samples"/>.</summary>
    public const string FileName = "samples.json";
}

/// <summary>A sample that is answered at every validation.</summary>
/// <param name="Image">Name of the sample's original image under <see cref="RunBlobs.Samples"/>.</param>
/// <param name="Truth">The expected answer.</param>
/// <param name="Answers">The generated answers, in the order of the steps.</param>
public sealed record GallerySample(string Image, string Truth, IReadOnlyList<GalleryAnswer> Answers);

/// <summary>Answer of the model after a training step; step 0 is the base model.</summary>
public sealed record GalleryAnswer(int Step, string Answer);
