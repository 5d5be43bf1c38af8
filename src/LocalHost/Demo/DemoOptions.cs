using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>What the demo runs on.</summary>
public sealed record DemoOptions
{
    /// <summary>A folder of pictures, <c>{split}/{label}/*.jpg</c>; drawn garments when null.</summary>
    public string? Images { get; init; }

    /// <summary>Rows of the dataset.</summary>
    public int Rows { get; init; } = 800;

    /// <summary>Whether the sample hub has a bad day: pictures that are gone, busy, stalled or damaged, and a connection that breaks.</summary>
    public bool Faults { get; init; }

    /// <summary>Images that are uploaded after training and are in no split.</summary>
    public int Uploads { get; init; } = 8;

    /// <summary>Training time at most, in minutes.</summary>
    public double? Minutes { get; init; }

    /// <summary>How to train; what suits the sample when null.</summary>
    public TrainingSettings? Training { get; init; }

    /// <summary>Where everything is written; started afresh.</summary>
    public required string StateFolder { get; init; }

    /// <summary>The request that the demo posts.</summary>
    /// <param name="dataset">The sample hub's dataset.</param>
    /// <param name="baseModel">The sample hub's base model.</param>
    public RunRequest Request(string dataset, string baseModel) => new()
    {
        Run = "demo",
        Dataset = new DatasetRequest
        {
            Repo = dataset,
            Columns = Images is null
                ? new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" }
                : new ColumnMapping { Image = "image", Category = "label" },
            // Photographs are few, and what is uploaded is in no split either.
            TestFraction = Images is null ? 0.1 : 0,
        },
        BaseModel = new BaseModelRequest { Repo = baseModel },
        Training = Minutes is { } limit ? Settings with { MaxMinutes = limit } : Settings,
    };

    private TrainingSettings Settings => Training ?? new TrainingSettings
    {
        Epochs = 100,
        MaxSteps = Images is null ? 350 : 3000,
        MaxMinutes = Images is null ? 3 : 7,
        BatchSize = 8,
        // Photographs are few and differ in more than their labels: they are learned slowly, and never seen twice in the same way.
        LearningRate = Images is null ? 2e-3 : 5e-4,
        AugmentImages = Images is not null,
        WarmupSteps = 40,
        NumCrops = 1,
        EvaluationSamples = 100,
        MaxAnswerTokens = 40,
    };
}
