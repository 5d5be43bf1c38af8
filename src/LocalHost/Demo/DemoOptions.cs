using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Options of the demo.</summary>
public sealed record DemoOptions
{
    /// <summary>Folder of images, <c>{split}/{label}/*.jpg</c>; null for drawn garments.</summary>
    public string? Images { get; init; }

    /// <summary>Number of rows of the dataset.</summary>
    public int Rows { get; init; } = 800;

    /// <summary>
    /// True to have the sample hub inject faults: missing, busy, stalled and damaged images, and a connection that is cut.
    /// </summary>
    public bool Faults { get; init; }

    /// <summary>Number of images in no split that are uploaded after training.</summary>
    public int Uploads { get; init; } = 8;

    /// <summary>Maximum training time, in minutes.</summary>
    public double? Minutes { get; init; }

    /// <summary>Training settings; null for those that suit the sample.</summary>
    public TrainingSettings? Training { get; init; }

    /// <summary>Folder for all files of the demo, emptied at the start.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Builds the run request that the demo posts.</summary>
    /// <param name="dataset">Repository id of the sample hub's dataset.</param>
    /// <param name="baseModel">Repository id of the sample hub's base model.</param>
    public RunRequest Request(string dataset, string baseModel) => new()
    {
        Run = "demo",
        Dataset = new DatasetRequest
        {
            Repo = dataset,
            Columns = Images is null
                ? new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" }
                : new ColumnMapping { Image = "image", Category = "label" },
            // Photographs are too few for a test split, and the uploaded images are outside of every split anyway.
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
        // Photographs are few and differ in more than their labels, so they get a lower learning rate and random augmentation.
        LearningRate = Images is null ? 2e-3 : 5e-4,
        AugmentImages = Images is not null,
        WarmupSteps = 40,
        NumCrops = 1,
        EvaluationSamples = 100,
        MaxAnswerTokens = 40,
    };
}
