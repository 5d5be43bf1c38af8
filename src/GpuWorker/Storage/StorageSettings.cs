using Azure.Storage.Blobs;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.GpuWorker.Storage;

/// <summary>Registers the pipeline's storage from the settings of <see cref="PipelineStorage"/>.</summary>
internal static class StorageSettings
{
    /// <summary>Registers <see cref="BlobServiceClient"/> and <see cref="BlobRunStore"/>.</summary>
    /// <exception cref="CommandException">The settings name no storage account.</exception>
    public static IServiceCollection AddStorage(this IServiceCollection services, IConfiguration configuration)
    {
        if (PipelineStorage.Mistake(configuration) is { } mistake) throw new CommandException($"The setting {mistake}");
        services.AddPipelineStorage(configuration);
        return services.AddSingleton<IRunStore, BlobRunStore>();
    }
}
