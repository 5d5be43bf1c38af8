using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Documents that several tests begin with.</summary>
internal static class Samples
{
    public static RunRequest Request { get; } = new()
    {
        Run = "run-1",
        Dataset = new DatasetRequest
        {
            Repo = "samples/garments",
            Revision = "c0ffee",
            Columns = new ColumnMapping { Category = "category" },
        },
        BaseModel = new BaseModelRequest { Repo = "samples/tiny", Revision = "beef" },
    };

    public static DatasetBlobs Dataset { get; } = new("samples/garments", "c0ffee", "v1");

    public static IngestReport Report { get; } = new()
    {
        Repo = "samples/garments",
        Commit = "c0ffee",
        View = "v1",
        Counts = new RowCounts
        {
            Rows = 10,
            Stored = 9,
            Rejected = 1,
            RejectedBy = new Dictionary<string, long> { [Rejection.NotFound] = 1 },
        },
        Splits = new Dictionary<string, long> { ["train"] = 7, ["validation"] = 2 },
        Categories = new Dictionary<string, long>(),
        Columns = new ColumnMapping { Category = "category" },
        Seconds = 1,
    };

    public static TrainingResult Succeeded { get; } = new()
    {
        Run = "run-1",
        Succeeded = true,
        Model = "run-1",
        FineTuned = new EvaluationMetrics { Loss = 0.5, Samples = 2 },
    };

    public static TrainingJob Job { get; } = new()
    {
        Run = "run-1",
        Shards = [new ShardInfo("samples--garments/c0ffee/v1/shards/train-00000.tar", "train", 7, 700)],
        BaseModel = "samples--tiny@beef",
        OutputModel = "run-1",
        Settings = new TrainingSettings(),
    };

    public static CurrentModel Model(string run, double loss, string dataset = "samples--garments/c0ffee/v1") => new()
    {
        Version = run,
        Run = run,
        ValidationLoss = loss,
        Dataset = dataset,
        PublishedAt = DateTimeOffset.UnixEpoch,
    };
}
