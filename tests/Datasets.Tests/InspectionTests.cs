using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Tests.Rows;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class InspectionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_catalog_is_described_with_its_splits_its_first_rows_and_a_guess()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 40, Seed = 30 });

        var inspection = await harness.Ingestion.InspectAsync(new DatasetRequest { Repo = GarmentsDataset.Id });

        Assert.Equal(IngestionHarness.Garments.Columns! with { Product = "product_code" }, inspection.Mapping);
        Assert.Contains("category3_code", inspection.Guess, StringComparison.Ordinal);
        Assert.Equal(["default"], inspection.Configs);
        Assert.Equal((1, 40L), (inspection.Splits["train"].Files, inspection.Splits["train"].Rows!.Value));
        Assert.True(inspection.Splits["train"].Bytes > 0);
        Assert.Contains(new ColumnInfo("title", "string", null), inspection.Columns);
        Assert.Equal(new GarmentCatalog(30)[0].Garment.Title, inspection.SampleRows[0]["title"]);
    }

    [Fact]
    public async Task Columns_that_the_request_leaves_out_are_guessed_and_the_guess_is_told()
    {
        await using var harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 40, Seed = 31 });
        var (dataset, report) = await harness.IngestAsync(new DatasetRequest { Repo = GarmentsDataset.Id });

        Assert.Equal("category3_code", dataset.Columns.Category);
        Assert.Contains("imageurl", dataset.ColumnsGuess, StringComparison.Ordinal);
        Assert.Equal(dataset.Columns, report.Columns);
        Assert.Equal(40, report.Counts.Rows);
        Assert.Contains(await harness.RowsAsync(dataset), row => row is { State: RowState.Stored, Title: not null, Price: > 0 });
    }

    [Fact]
    public async Task A_dataset_without_a_guess_is_shown_all_the_same_and_refused_when_it_is_to_be_ingested()
    {
        var hub = new HubClient(new HttpClient(new OneFileHub(RowReading.Fixture("hyparquet-half.parquet"))), new HubOptions());
        using var ingestion = new DatasetIngestion(hub, azurite.Blobs);
        var request = new DatasetRequest { Repo = "a/b" };

        var inspection = await ingestion.InspectAsync(request);

        Assert.Null(inspection.Mapping);
        Assert.Contains("cannot be guessed", inspection.Guess, StringComparison.Ordinal);
        Assert.NotEmpty(inspection.Columns);
        var refusal = await Assert.ThrowsAsync<RequestException>(() => ingestion.ResolveAsync(request));
        Assert.Equal("dataset.columns", refusal.Field);
    }
}
