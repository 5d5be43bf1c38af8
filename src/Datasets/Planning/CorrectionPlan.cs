using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Storage;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>Plans the ingestion of corrections: they are a dataset of their own, with a hash of its rows in place of a commit.</summary>
internal static class CorrectionPlan
{
    /// <summary>Name of the dataset and of its only source split; no dataset of the Hub has a name without an owner.</summary>
    private const string Name = Containers.Corrections;

    /// <param name="dataset">Plan of the dataset that the corrections are trained with, whose rule of splits they follow and whose further
    /// fields they may have.</param>
    /// <param name="unitRows">Number of rows per unit.</param>
    /// <returns>The plan, which has no files, and its units.</returns>
    public static (IngestPlan Plan, IReadOnlyList<IngestUnit> Units) Of(
        IReadOnlyList<CorrectedImage> corrections, IngestPlan dataset, int unitRows)
    {
        var rule = SplitRule.Of(dataset);
        var rows = corrections.Select(corrected =>
        {
            var (image, correction, reason, _) = corrected;
            return new { image, correction.ETag, correction.Title, correction.Category, correction.Price, correction.Fields, reason };
        });
        var splits = new Dictionary<string, SplitRows> { [Name] = new(corrections.Count, corrections.Count) };
        var planner = new UnitPlanner(splits, unitRows, embedded: true);
        var file = new HubFileInfo("", 0, null, "");
        planner.Add(new MeasuredFile(Name, file, [.. corrections.Select(_ => new RowGroupSize(1, 0))]));
        var snapshot = Hash(rows);
        var plan = new IngestPlan
        {
            Request = new DatasetRequest
            {
                Repo = Name,
                Revision = snapshot,
                ValidationFraction = rule.Validation,
                TestFraction = rule.Test,
            },
            Columns = new ColumnMapping { Title = "title", Category = "category", Price = "price", Fields = dataset.Columns.Fields },
            Commit = snapshot,
            ParquetCommit = "",
            Config = "",
            View = Hash(new { DatasetResolver.Layout, rule.Validation, rule.Test, unitRows, dataset.Columns.Fields }),
            Splits = splits,
            Files = 0,
            Units = planner.Units.Count,
            UnitsPerShard = planner.UnitsPerShard,
        };
        return (plan, planner.Units);
    }

    private static string Hash<T>(T decides) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(decides, PipelineJson.Compact)))[..12];
}
