namespace FunctionsPipeline.Contracts;

/// <summary>What a run's model said about a few validation samples as it learned: <c>runs/{run}/samples/samples.json</c>.</summary>
public sealed record SampleGallery(IReadOnlyList<GallerySample> Samples)
{
    /// <summary>Name of the document under <see cref="RunBlobs.Samples"/>.</summary>
    public const string FileName = "samples.json";
}

/// <summary>A sample that is answered at every validation.</summary>
/// <param name="Image">Name of its image, as it came, under <see cref="RunBlobs.Samples"/>.</param>
/// <param name="Truth">What should be answered.</param>
/// <param name="Answers">What was answered, in the order of the steps.</param>
public sealed record GallerySample(string Image, string Truth, IReadOnlyList<GalleryAnswer> Answers);

/// <summary>An answer of the model as it was after a step; 0 is the base model.</summary>
public sealed record GalleryAnswer(int Step, string Answer);
