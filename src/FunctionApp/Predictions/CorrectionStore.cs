using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Right answers to uploaded images in blob storage, one for each image.</summary>
public sealed class CorrectionStore(BlobServiceClient blobs)
{
    /// <summary>Reads the correction of an image; null when there is none.</summary>
    public async Task<Correction?> ReadAsync(string image, CancellationToken cancellationToken) =>
        (await Blob(image).ReadJsonAsync<Correction>(cancellationToken))?.Document;

    /// <summary>Writes a correction in place of an earlier one.</summary>
    public Task WriteAsync(Correction correction, CancellationToken cancellationToken) =>
        Blob(correction.Image).WriteJsonAsync(correction, null, cancellationToken);

    /// <summary>Deletes the correction of an image. False when there is none.</summary>
    public async Task<bool> DeleteAsync(string image, CancellationToken cancellationToken) =>
        await Blob(image).DeleteIfExistsAsync(cancellationToken: cancellationToken);

    private BlobClient Blob(string image) =>
        blobs.GetBlobContainerClient(Containers.Corrections).GetBlobClient(BlobNames.Correction(image));
}
