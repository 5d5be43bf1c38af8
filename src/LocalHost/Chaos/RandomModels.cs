using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Tiny models with random weights in a local stack's storage, which serve without having been trained.</summary>
public sealed class RandomModels(LocalStack stack, BlobServiceClient blobs)
{
    private readonly BlobContainerClient _models = blobs.GetBlobContainerClient(Containers.Models);

    /// <summary>Creates a model.</summary>
    /// <param name="seed">Seed of the weights.</param>
    public async Task CreateAsync(string version, int seed, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(stack.Options.StateFolder, version);
        await stack.CreateRandomModelAsync(folder, seed, cancellationToken);
        var settings = new TrainingSettings { NumCrops = 1, MaxAnswerTokens = 32 };
        // The model's serving settings, whose other members keep their defaults.
        await File.WriteAllTextAsync(
            Path.Combine(folder, "serving.json"),
            new JsonObject { ["numCrops"] = settings.NumCrops, ["maxAnswerTokens"] = settings.MaxAnswerTokens }.ToJsonString(),
            cancellationToken);
        var sums = new JsonObject();
        foreach (var file in Directory.GetFiles(folder))
        {
            var content = await File.ReadAllBytesAsync(file, cancellationToken);
            await _models.GetBlobClient($"{version}/{Path.GetFileName(file)}")
                .UploadAsync(new BinaryData(content), overwrite: true, cancellationToken);
            sums[Path.GetFileName(file)] = Convert.ToHexStringLower(SHA256.HashData(content));
        }
        await _models.GetBlobClient(BlobNames.ModelComplete(version)).UploadAsync(
            BinaryData.FromString(new JsonObject { ["files"] = sums }.ToJsonString()), overwrite: true, cancellationToken);
    }

    /// <summary>Has a model serve from now on; returns before the worker has loaded it.</summary>
    public async Task ActivateAsync(string version, CancellationToken cancellationToken)
    {
        var current = new CurrentModel
        {
            Version = version,
            Run = version,
            ValidationLoss = 1,
            Dataset = "none",
            PublishedAt = DateTimeOffset.UtcNow,
        };
        await _models.GetBlobClient(BlobNames.CurrentModel)
            .UploadAsync(BinaryData.FromObjectAsJson(current, PipelineJson.Options), overwrite: true, cancellationToken);
    }
}
