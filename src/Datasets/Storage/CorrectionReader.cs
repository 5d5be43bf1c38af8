using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Storage;

/// <summary>Reads people's corrections of uploaded images, and the images.</summary>
/// <param name="maxBytes">Maximum size of an image in bytes.</param>
internal sealed class CorrectionReader(BlobServiceClient blobs, long maxBytes)
{
    private const int LookupsAtOnce = 16;
    private const string Changed = "the image was changed or deleted after its correction";

    private readonly BlobContainerClient _corrections = blobs.GetBlobContainerClient(Containers.Corrections);
    private readonly BlobContainerClient _images = blobs.GetBlobContainerClient(Containers.ProductImages);

    /// <summary>Lists all corrections in the order of their names; of no use are those whose image has changed since.</summary>
    public async Task<IReadOnlyList<CorrectedImage>> ListAsync(CancellationToken cancellationToken)
    {
        var names = await _corrections.GetBlobsAsync(new GetBlobsOptions(), cancellationToken).Select(blob => blob.Name)
            .ToListAsync(cancellationToken);
        var corrected = new CorrectedImage?[names.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, names.Count, parallel, async (i, stop) => corrected[i] = await FindAsync(names[i], stop));
        return [.. corrected.OfType<CorrectedImage>()];
    }

    /// <summary>Reads a corrected image as a row of a dataset.</summary>
    /// <param name="further">The dataset's further fields, the only ones that are read.</param>
    public async Task<DatasetRow> ReadAsync(
        CorrectedImage corrected, long row, IReadOnlyList<FieldDefinition> further, CancellationToken cancellationToken)
    {
        var (image, correction, reason, detail) = corrected;
        var fields = new DatasetRow(
            row, $"{Containers.ProductImages}/{image}", null, correction.Title, correction.Category, correction.Price, Product: null)
            .With(further.Select(field => (field, correction.ValueOf(field.Name))));
        if (reason is not null) return fields with { Fault = detail, FaultReason = reason };
        try
        {
            var unchanged = new BlobRequestConditions { IfMatch = new ETag(correction.ETag) };
            var content = await _images.GetBlobClient(image).DownloadContentAsync(
                new BlobDownloadOptions { Conditions = unchanged }, cancellationToken);
            return fields with { ImageBytes = content.Value.Content.ToMemory() };
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return fields with { Fault = Changed, FaultReason = Rejection.Changed };
        }
    }

    // Null when the correction was withdrawn since it was listed.
    private async Task<CorrectedImage?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var image = Path.ChangeExtension(name, null);
        Correction correction;
        try
        {
            if (await _corrections.GetBlobClient(name).ReadJsonAsync<Correction>(cancellationToken) is not { } read) return null;
            correction = read;
        }
        catch (JsonException e)
        {
            return new CorrectedImage(image, new Correction { Image = image, ETag = "", At = default }, Rejection.UnreadableRow, e.Message);
        }
        var properties = await _images.GetBlobClient(image).FindPropertiesAsync(cancellationToken);
        if (properties?.ETag != new ETag(correction.ETag)) return new CorrectedImage(image, correction, Rejection.Changed, Changed);
        return properties.ContentLength <= maxBytes
            ? new CorrectedImage(image, correction)
            : new CorrectedImage(
                image, correction, Rejection.TooLarge, $"{properties.ContentLength:N0} bytes; at most {maxBytes:N0} are read");
    }
}

/// <summary>A correction and the image that it is about.</summary>
/// <param name="Image">Name of the image in <see cref="Containers.ProductImages"/>.</param>
/// <param name="Reason">One of <see cref="Rejection"/> when the image cannot be used.</param>
/// <param name="Detail">Human-readable details of the reason.</param>
internal sealed record CorrectedImage(string Image, Correction Correction, string? Reason = null, string? Detail = null);
