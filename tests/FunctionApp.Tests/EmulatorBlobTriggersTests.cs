using System.Text.Json.Nodes;
using FunctionsPipeline.FunctionApp.Storage;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class EmulatorBlobTriggersTests
{
    private const string Upload = """
        {"name":"blob","type":"blobTrigger","direction":"In","path":"images/{name}","source":"EventGrid",
        "connection":"PipelineStorage"}
        """;

    [Theory]
    [InlineData("PipelineStorage", "UseDevelopmentStorage=true", null)]
    [InlineData("PipelineStorage", "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/a", null)]
    [InlineData("PipelineStorage", "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://localhost:10000/a", null)]
    [InlineData("PipelineStorage:blobServiceUri", "https://127.0.0.1:10000/devstoreaccount1", null)]
    [InlineData(
        "PipelineStorage", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net", "EventGrid")]
    [InlineData("PipelineStorage:blobServiceUri", "https://account.blob.core.windows.net", "EventGrid")]
    [InlineData("PipelineStorage", "no connection string", "EventGrid")]
    public void Blobs_of_the_emulator_are_scanned_for_and_all_others_come_by_Event_Grid(string setting, string value, string? source)
    {
        var binding = JsonNode.Parse(Transform(setting, value, Upload))!;
        Assert.Equal(source, (string?)binding["source"]);
        Assert.Equal("images/{name}", (string?)binding["path"]);
    }

    [Theory]
    [InlineData("""{"type":"blobTrigger","source":"EventGrid","connection":"Other"}""")]
    [InlineData("""{"type":"eventTrigger","source":"Sales","connection":"PipelineStorage"}""")]
    [InlineData("""{"type":"httpTrigger","route":"runs"}""")]
    public void Other_bindings_stay_as_they_are(string binding) =>
        Assert.Equal(binding, Transform("PipelineStorage", "UseDevelopmentStorage=true", binding));

    private static string Transform(string setting, string value, string binding)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [setting] = value }).Build();
        var function = new DefaultFunctionMetadata { Name = "F", RawBindings = [binding] };
        new EmulatorBlobTriggers(configuration).Transform([function, new DefaultFunctionMetadata { Name = "None" }]);
        return Assert.Single(function.RawBindings);
    }
}
