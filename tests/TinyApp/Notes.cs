using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.TinyApp;

/// <summary>Writes down in the container <c>tiny-notes</c> what a function was given, for a test to read.</summary>
public sealed class Notes(IConfiguration configuration)
{
    /// <summary>The container's name.</summary>
    public const string Container = "tiny-notes";

    public async Task WriteAsync(string name, string text, CancellationToken cancellationToken)
    {
        var container = new BlobContainerClient(configuration["AzureWebJobsStorage"], Container);
        await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        await container.GetBlobClient(name).UploadAsync(BinaryData.FromString(text), overwrite: true, cancellationToken);
    }
}
