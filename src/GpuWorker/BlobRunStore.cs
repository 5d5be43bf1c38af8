using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.GpuWorker;

/// <summary>Run store in blob storage. Metrics are append blobs, all other files block blobs.</summary>
public sealed class BlobRunStore(BlobServiceClient blobs) : IRunStore
{
    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListAsync(string container, string prefix, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        var found = blobs.GetBlobContainerClient(container).GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken);
        await foreach (var blob in found) names.Add(blob.Name);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <inheritdoc/>
    public async Task<byte[]?> ReadAsync(string container, string name, CancellationToken cancellationToken)
    {
        try
        {
            return (await Blob(container, name).DownloadContentAsync(cancellationToken)).Value.Content.ToArray();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task DownloadAsync(string container, string name, string path, CancellationToken cancellationToken)
    {
        try
        {
            await Blob(container, name).DownloadToAsync(path, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            throw new FileNotFoundException($"There is no {name} in the container {container}.", name, e);
        }
    }

    /// <inheritdoc/>
    public Task WriteAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Blob(container, name).UploadAsync(new BinaryData(content), overwrite: true, cancellationToken);

    /// <inheritdoc/>
    public async Task AppendAsync(string container, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(container).GetAppendBlobClient(name);
        await blob.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        var end = await LengthAsync(blob, cancellationToken);
        // The service limits the bytes of one append.
        foreach (var block in content.ToArray().Chunk(blob.AppendBlobMaxAppendBlockBytes))
        {
            var condition = new AppendBlobRequestConditions { IfAppendPositionEqual = end };
            end += block.Length;
            try
            {
                await blob.AppendBlockAsync(
                    new MemoryStream(block), new AppendBlobAppendBlockOptions { Conditions = condition }, cancellationToken);
            }
            catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.AppendPositionConditionNotMet)
            {
                // The SDK repeats an append whose response is lost. A run has one writer, so that this length tells that it was applied.
                if (await LengthAsync(blob, cancellationToken) != end) throw;
            }
        }
    }

    /// <inheritdoc/>
    public Task UploadAsync(string container, string name, string path, CancellationToken cancellationToken) =>
        Blob(container, name).UploadAsync(path, overwrite: true, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteAsync(string container, string name, CancellationToken cancellationToken) =>
        Blob(container, name).DeleteIfExistsAsync(DeleteSnapshotsOption.IncludeSnapshots, cancellationToken: cancellationToken);

    private static async Task<long> LengthAsync(AppendBlobClient blob, CancellationToken cancellationToken) =>
        (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ContentLength;

    private BlobClient Blob(string container, string name) => blobs.GetBlobContainerClient(container).GetBlobClient(name);
}

/// <summary>Registers the pipeline's storage from the settings of <see cref="PipelineStorage"/>.</summary>
internal static class StorageRegistration
{
    /// <summary>Registers <see cref="BlobServiceClient"/> and <see cref="BlobRunStore"/>.</summary>
    /// <exception cref="CommandException">The settings name no storage account.</exception>
    public static IServiceCollection AddStorage(this IServiceCollection services, IConfiguration configuration)
    {
        if (PipelineStorage.Mistake(configuration) is { } mistake) throw new CommandException($"The setting {mistake}");
        services.AddPipelineStorage(configuration);
        return services.AddSingleton<IRunStore, BlobRunStore>();
    }

    /// <summary>Registers a local folder as the run store, or where there is none the pipeline's storage.</summary>
    /// <exception cref="CommandException">There is no folder, and the settings name no storage account.</exception>
    public static IServiceCollection AddRunStore(this IServiceCollection services, DirectoryInfo? folder, IConfiguration configuration) =>
        folder is null ? services.AddStorage(configuration) : services.AddSingleton<IRunStore>(new LocalRunStore(folder.FullName));
}
