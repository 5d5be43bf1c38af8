using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.TinyApp;

/// <summary>Writes the inputs of functions to the container <c>tiny-notes</c>, where tests read them.</summary>
public sealed class Notes(IConfiguration configuration)
{
    /// <summary>Name of the container.</summary>
    public const string Container = "tiny-notes";

    public async Task WriteAsync(string name, string text, CancellationToken cancellationToken)
    {
        var container = new BlobContainerClient(configuration["AzureWebJobsStorage"], Container);
        await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        await container.GetBlobClient(name).UploadAsync(BinaryData.FromString(text), overwrite: true, cancellationToken);
    }
}
