using FunctionsPipeline.Contracts;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class PhotographsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [TestDataFact("data/clothing")]
    public async Task The_real_photographs_are_all_stored()
    {
        await using var harness =
            await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Images = TestData.Path("data/clothing") }, new());

        var (dataset, report) = await harness.IngestAsync(new DatasetRequest { Repo = harness.Hub.Dataset });

        Assert.Equal(("image", "label"), (dataset.Columns.Image, dataset.Columns.Category));
        Assert.Equal(new RowCounts { Rows = 3409, Stored = 3409, Bytes = report.Counts.Bytes, RejectedBy = report.Counts.RejectedBy },
            report.Counts);
        Assert.Empty(report.Counts.RejectedBy);
        Assert.Equal(3409, (await harness.Ingestion.ReadShardsAsync(dataset.Blobs)).Sum(shard => shard.Samples));
        Assert.Equal(10, report.CategoryCount);
    }
}
