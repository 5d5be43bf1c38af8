using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.FunctionApp.Models;
using FunctionsPipeline.FunctionApp.Runs;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class ModelEndpointsTests : IAsyncLifetime
{
    private readonly AzuriteFixture _azurite = new();

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        foreach (var name in new[] { Containers.Models, Containers.Runs }) await _azurite.Blobs.CreateBlobContainerAsync(name);
        await WriteAsync(Containers.Models, "samples--tiny@beef/complete.json", new { repo = "samples/tiny", commit = "beef" });
        await TrainAsync("first", 0.4);
    }

    public Task DisposeAsync() => _azurite.DisposeAsync();

    [Fact]
    public async Task Models_are_listed_with_their_figures_and_cards_newest_first()
    {
        // Blobs have times of whole seconds.
        await Task.Delay(TimeSpan.FromSeconds(1.1));
        await TrainAsync("second", 0.5);
        var models = _azurite.Blobs.GetBlobContainerClient(Containers.Models);
        await models.UploadBlobAsync("second/README.md", BinaryData.FromString("# second"));
        await models.UploadBlobAsync("third/config.json", BinaryData.FromString("{}"));
        await PublishAsync("first", 0.4);

        var listed = Read<ModelList>(await Endpoints.ListModels(Request(""), default)).Models;

        Assert.Equal(["first", "samples--tiny@beef"], listed.Skip(1).Select(model => model.Version).Order(StringComparer.Ordinal));
        Assert.Equal("first", listed.Single(model => model.Serves).Version);
        var second = listed[0];
        Assert.Equal(
            ("second", "second", "samples--tiny@beef", "samples/garments@c0ffee", "# second"),
            (second.Version, second.Run, second.BaseModel, second.Dataset, second.Card));
        Assert.Equal(0.5, second.FineTuned!.Loss);
        var baseModel = listed.Single(model => model.Version == "samples--tiny@beef");
        Assert.Equal((null, null, null), (baseModel.Run, baseModel.FineTuned, baseModel.Card));
    }

    [Fact]
    public async Task An_earlier_model_serves_again_with_the_figures_of_its_run()
    {
        await PublishAsync("first", 0.4);
        await TrainAsync("second", 0.3);
        await PublishAsync("second", 0.3);

        var candidate = await Catalog.CandidateAsync("first", DateTimeOffset.UtcNow, default);
        var current = await new ModelRegistry(_azurite.Blobs).ActivateAsync(candidate with { Reason = "it knows hats" }, default);

        Assert.Equal(("first", "first", 0.4, "samples--garments/c0ffee/v1"),
            (current.Version, current.Run, current.ValidationLoss, current.Dataset));
        Assert.Equal(current, Read<CurrentModel>(await Endpoints.GetCurrentModel(Request(""), default)));
        var changes = Read<ModelChangeList>(await Endpoints.GetModelHistory(Request(""), default)).Changes;
        Assert.Equal(["first", "second", "first"], changes.Select(change => change.Version));
        Assert.Equal(("second", "it knows hats"), (changes[0].Before, changes[0].Reason));
    }

    [Theory]
    [InlineData("nothing", """{"reason": "why not"}""", 404, "version")]
    [InlineData("samples--tiny@beef", """{"reason": "why not"}""", 409, "version")]
    [InlineData("third", """{"reason": "why not"}""", 409, "version")]
    [InlineData("first", """{"reason": " "}""", 400, "reason")]
    [InlineData("first", "{}", 400, "reason")]
    [InlineData("first", "", 400, "$")]
    public async Task A_model_that_cannot_serve_changes_nothing(string version, string body, int status, string field)
    {
        await _azurite.Blobs.GetBlobContainerClient(Containers.Models).UploadBlobAsync("third/config.json", BinaryData.FromString("{}"));
        var answer = Assert.IsType<ContentResult>(await ActivateAsync(version, body));
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(field, JsonSerializer.Deserialize<Problem>(answer.Content!, PipelineJson.Options)!.Field);
        Assert.Equal(404, Assert.IsType<ContentResult>(await Endpoints.GetCurrentModel(Request(""), default)).StatusCode);
        Assert.Empty(Read<ModelChangeList>(await Endpoints.GetModelHistory(Request(""), default)).Changes);
    }

    private RunDocumentStore Runs => new(_azurite.Blobs, TimeProvider.System);

    private ModelCatalog Catalog => new(_azurite.Blobs, Runs);

    private ModelEndpoints Endpoints => new(new ModelRegistry(_azurite.Blobs), Catalog, TimeProvider.System);

    private Task<IActionResult> ActivateAsync(string version, string body) =>
        Endpoints.ActivateModel(Request(body), version, null!, default);

    private async Task PublishAsync(string run, double loss)
    {
        var activities = new ModelActivities(null!, new ModelRegistry(_azurite.Blobs), Catalog, TimeProvider.System);
        Assert.True((await activities.PublishModel(new PublishModelInput(Result(run, loss)), default)).Published);
    }

    private async Task TrainAsync(string run, double loss)
    {
        ShardInfo[] shards = [.. Samples.Job.Shards, new(Samples.Dataset.Shard(Splits.Validation, 0), Splits.Validation, 2, 200)];
        var job = Samples.Job with { Run = run, OutputModel = run, Shards = shards, Dataset = "samples/garments@c0ffee" };
        await WriteAsync(Containers.Runs, $"{run}/request.json", job);
        await WriteAsync(Containers.Models, $"{run}/complete.json", new { });
        await WriteAsync(Containers.Runs, $"{run}/result.json", Result(run, loss));
    }

    private static TrainingResult Result(string run, double loss) =>
        Samples.Succeeded with { Run = run, Model = run, FineTuned = new EvaluationMetrics { Loss = loss, Samples = 2 } };

    private static HttpRequest Request(string body)
    {
        var request = new DefaultHttpContext().Request;
        request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        return request;
    }

    private static T Read<T>(IActionResult answer)
    {
        var content = Assert.IsType<ContentResult>(answer);
        Assert.True(content.StatusCode == 200, content.Content);
        return JsonSerializer.Deserialize<T>(content.Content!, PipelineJson.Options)!;
    }

    private async Task WriteAsync<T>(string container, string name, T document) => await _azurite.Blobs.GetBlobContainerClient(container)
        .GetBlobClient(name).UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Options), overwrite: true);
}
