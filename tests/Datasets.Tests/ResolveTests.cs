using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests;

public sealed class ResolveTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private IngestionHarness _harness = null!;

    public async Task InitializeAsync() => _harness = await IngestionHarness.OpenAsync(azurite, new HubServerOptions { Rows = 20 });

    public async Task DisposeAsync() => await _harness.DisposeAsync();

    [Fact]
    public async Task A_request_is_pinned_to_commits_and_survives_durable_state()
    {
        var dataset = await _harness.Ingestion.ResolveAsync(IngestionHarness.Garments);
        var plan = await _harness.PlanAsync(dataset);

        Assert.Equal(40, dataset.Blobs.Commit.Length);
        Assert.NotEqual(plan.Commit, plan.ParquetCommit);
        Assert.Equal(("default", 20L), (plan.Config, dataset.Rows));
        Assert.Equal(IngestionHarness.Garments.Columns, dataset.Columns);
        var text = JsonSerializer.Serialize(dataset, PipelineJson.Compact);
        Assert.Equal(text, JsonSerializer.Serialize(JsonSerializer.Deserialize<ResolvedDataset>(text, PipelineJson.Compact),
            PipelineJson.Compact));
    }

    [Fact]
    public async Task A_commit_may_be_named_in_place_of_a_branch()
    {
        var byBranch = await _harness.Ingestion.ResolveAsync(IngestionHarness.Garments);
        var byCommit = await _harness.Ingestion.ResolveAsync(IngestionHarness.Garments with { Revision = byBranch.Blobs.Commit });
        Assert.Equal(byBranch.Blobs, byCommit.Blobs);
        Assert.Equal(byBranch.Blobs.Commit, (await _harness.Ingestion.CheckAsync(IngestionHarness.Garments)).Pinned.Revision);
    }

    [Fact]
    public async Task What_decides_the_splits_decides_the_view()
    {
        var views = new List<string>();
        foreach (var request in new[]
        {
            IngestionHarness.Garments,
            IngestionHarness.Garments with { TestFraction = 0 },
            IngestionHarness.Garments with { ValidationFraction = 0.2 },
            With(c => c with { Product = "product_code" }),
        })
            views.Add((await _harness.Ingestion.ResolveAsync(request)).Blobs.View);
        Assert.Distinct(views);
    }

    public static TheoryData<string, int, string, DatasetRequest> BadRequests => new()
    {
        { "dataset.repo", 404, "samples/nothing", IngestionHarness.Garments with { Repo = "samples/nothing" } },
        { "dataset.revision", 404, "'v9'", IngestionHarness.Garments with { Revision = "v9" } },
        { "dataset.config", 404, "it has: default", IngestionHarness.Garments with { Config = "french" } },
        { "dataset.columns.image", 400, "imageurl", With(c => c with { Image = "picture" }) },
        { "dataset.columns.image", 400, "of type double", With(c => c with { Image = "full_price" }) },
        { "dataset.columns.title", 400, "its columns are: website_name", With(c => c with { Title = "name" }) },
        { "dataset.columns.category", 400, "a category column is a string", With(c => c with { Category = "full_price" }) },
        { "dataset.columns.product", 400, "a product column is a string, an integer", With(c => c with { Product = "full_price" }) },
        { "dataset.columns.product", 400, "its columns are: website_name", With(c => c with { Product = "sku" }) },
        { "dataset.columns", 400, "at least one", With(c => new ColumnMapping { Image = c.Image }) },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public async Task A_request_that_does_not_fit_the_dataset_names_the_field_and_the_way_out(string field, int status, string says,
        DatasetRequest request)
    {
        var refusal = await Assert.ThrowsAsync<RequestException>(() => _harness.Ingestion.ResolveAsync(request));
        await Assert.ThrowsAsync<RequestException>(() => _harness.Ingestion.CheckAsync(request));
        Assert.Equal((field, status), (refusal.Field, refusal.Status));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_that_is_down_is_not_the_requests_fault()
    {
        var client = new HubClient(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = new Uri("http://127.0.0.1:9"), Attempts = 2, FirstDelay = TimeSpan.Zero });
        var ingestion = new DatasetIngestion(client, azurite.Blobs);
        var failure = await Assert.ThrowsAsync<HubException>(() => ingestion.ResolveAsync(IngestionHarness.Garments));
        Assert.Equal(HubErrorKind.Unavailable, failure.Error);
    }

    private static DatasetRequest With(Func<ColumnMapping, ColumnMapping> change) =>
        IngestionHarness.Garments with { Columns = change(IngestionHarness.Garments.Columns!) };
}
