using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Sources;

public sealed class HubSourceTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_repository_that_the_hub_has_not_converted_is_read_from_its_own_files()
    {
        await using var harness = await OpenAsync();
        using var ingestion = Ingestion();
        var request = new DatasetRequest { Repo = "a/b", TestFraction = 0 };

        var inspection = await ingestion.InspectAsync(request);
        var (plan, report) = await IngestAsync(harness, ingestion, request);

        Assert.Equal("CSV, 2 files, separator ',', UTF-8, header", inspection.Form);
        Assert.Equal((FilesHub.CommitOf("main"), 12L, 11L), (report.Commit, report.Counts.Rows, report.Counts.Stored));
        // One of the images is not in the repository.
        Assert.Equal(new Dictionary<string, long> { [Rejection.NotFound] = 1 }, report.Counts.RejectedBy);
        Assert.Equal(3, plan.Splits["test"].Total);
    }

    [Theory]
    [InlineData("v1")]
    [InlineData(null)]
    public async Task Any_revision_is_read_from_its_own_parquet_files(string? revision)
    {
        await using var harness = await OpenAsync();
        using var ingestion = Ingestion();
        var request = new DatasetRequest { Repo = "a/b", Revision = revision ?? FilesHub.CommitOf("v1"), TestFraction = 0 };

        var (plan, report) = await IngestAsync(harness, ingestion, request);

        Assert.Equal((FilesHub.CommitOf("v1"), FilesHub.CommitOf("v1")), (plan.Commit, plan.ParquetCommit));
        Assert.Equal((12, 12), (report.Counts.Rows, report.Counts.Stored));
    }

    private Task<IngestionHarness> OpenAsync() => IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 1 });

    private DatasetIngestion Ingestion()
    {
        var images = Enumerable.Range(0, 12).ToDictionary(i => $"data/images/{i}.png", i => Read($"images/{i}.png"));
        return new DatasetIngestion(new HubClient(new HttpClient(new FilesHub(new Dictionary<string, IReadOnlyDictionary<string, byte[]>>
        {
            ["main"] = new Dictionary<string, byte[]>(images.Where(image => !image.Key.EndsWith("/11.png", StringComparison.Ordinal)))
            {
                ["README.md"] = [],
                ["data/train.csv"] = Read("duckdb-train.csv"),
                ["data/test.csv"] = Read("duckdb-test.csv"),
            },
            ["v1"] = new Dictionary<string, byte[]>(images) { ["data/train-00000.parquet"] = Read("duckdb.parquet") },
        })), new HubOptions()), azurite.Blobs);
    }

    private static async Task<(IngestPlan Plan, IngestReport Report)> IngestAsync(
        IngestionHarness harness, DatasetIngestion ingestion, DatasetRequest request)
    {
        var pinned = (await ingestion.CheckAsync(request)).Pinned;
        await IngestionHarness.ConvertAsync(ingestion, pinned);
        var dataset = await ingestion.ResolveAsync(pinned);
        return (await harness.PlanAsync(dataset), await harness.CarryOutAsync(dataset, ingestion));
    }

    private static byte[] Read(string fixture) => File.ReadAllBytes(SourceFolder.PathOf(fixture));
}
