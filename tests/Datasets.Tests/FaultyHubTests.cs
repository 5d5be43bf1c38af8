using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>A whole ingestion from a hub that fails in every way that heals, and in some that do not.</summary>
public sealed class FaultyHubTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Every_row_comes_to_what_the_fault_of_its_picture_makes_of_it_and_the_rest_goes_on()
    {
        const string Pictures = "/pictures/*";
        await using var harness = await IngestionHarness.OpenAsync(
            azurite,
            new HubServerOptions
            {
                Rows = 200,
                Seed = 50,
                Faults =
                [
                    new(Pictures, new StatusFault(404)) { Share = 0.1 },
                    new(Pictures, new StatusFault(503)) { Share = 0.1, Times = 1 },
                    new(Pictures, new StallFault()) { Share = 0.05 },
                    new(Pictures, new StallBeforeAnswerFault()) { Share = 0.05, Times = 1 },
                    new(Pictures, new CutFault()) { Share = 0.1, Times = 1 },
                    new(Pictures, new CorruptFault()) { Share = 0.1 },
                    new("/api/*", new StatusFault(500)) { Times = 1 },
                    new("/cdn/datasets/*.parquet", new CutFault()) { Times = 1 },
                    new("/datasets/*.parquet", new StatusFault(429, ("Retry-After", "0"))) { Times = 1 },
                ],
            },
            new IngestionOptions
            {
                UnitRows = 60,
                ConnectTimeout = TimeSpan.FromSeconds(2),
                ReadTimeout = TimeSpan.FromSeconds(2),
                RetryDelay = TimeSpan.FromMilliseconds(1),
                DownloadAttempts = 2,
                RequestsPerHost = 32,
            });

        var (dataset, report) = await harness.IngestAsync(IngestionHarness.Garments);

        var faults = harness.Hub.InjectedFaults.ToLookup(fault => fault.Path, fault => fault.Kind);
        var catalog = new GarmentCatalog(50);
        foreach (var row in await harness.RowsAsync(dataset))
        {
            var fault = row.ImageUrl is { } url && Uri.TryCreate(url, UriKind.Absolute, out var uri)
                ? faults[uri.AbsolutePath].SingleOrDefault()
                : null;
            var itself = catalog[(int)row.Row].Defect switch
            {
                RowDefect.NoImageUrl => Rejection.BadUrl,
                RowDefect.MissingImage => Rejection.NotFound,
                RowDefect.TruncatedImage => Rejection.Truncated,
                RowDefect.PageInsteadOfImage => Rejection.NotAnImage,
                _ => null,
            };
            string?[] expected = fault switch
            {
                "status-404" => [Rejection.NotFound],
                "stall" => [Rejection.Timeout],
                "corrupt" => [Rejection.Corrupt, Rejection.Truncated, Rejection.NotAnImage],
                _ => [itself],
            };
            Assert.True(expected.Contains(row.Reason),
                $"row {row.Row} with {fault ?? "no fault"} came to {row.Reason ?? "stored"}: {row.Detail}");
            Assert.Equal(row.Reason is null, row.State != RowState.Rejected);
        }
        string[] kinds = ["status-404", "status-503", "stall", "stall-before-answer", "cut", "corrupt", "status-500", "status-429"];
        foreach (var kind in kinds) Assert.Contains(harness.Hub.InjectedFaults, fault => fault.Kind == kind);
        Assert.Equal(200, report.Counts.Rows);
        Assert.Equal(200, report.Counts.Stored + report.Counts.Duplicates + report.Counts.Rejected);
        Assert.Equal(report.Counts.Rejected, report.Counts.RejectedBy.Values.Sum());
    }
}
