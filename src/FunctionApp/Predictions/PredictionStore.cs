using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Storage;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>
/// Prediction documents in blob storage. The one for an image's latest version and the latest model remains, whatever the order in which
/// answers arrive.
/// </summary>
public sealed class PredictionStore(BlobServiceClient blobs)
{
    private const int DownloadsAtOnce = 8;

    // Bounds the time of one request for a page when few documents pass the filter: 20 pages of the container.
    private const int PagesPerRequest = 20;

    private BlobContainerClient Predictions => blobs.GetBlobContainerClient(Containers.Predictions);

    /// <summary>Returns the client of an uploaded image.</summary>
    public BlobClient Image(string name) => blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(name);

    /// <summary>Reads the document of an image; null when there is none.</summary>
    public async Task<PredictionDocument?> ReadAsync(string image, CancellationToken cancellationToken) =>
        (await Document(image).ReadJsonAsync<PredictionDocument>(cancellationToken))?.Document;

    /// <summary>Writes a document unless a better one exists. False when the image was changed or deleted in the meantime.</summary>
    public async Task<bool> WriteAsync(PredictionDocument prediction, CancellationToken cancellationToken)
    {
        var target = Document(prediction.Image);
        var image = Image(prediction.Image);
        while (true)
        {
            // Order matters: the document is read before the image's version, so a prediction for a later version that is written in
            // between fails the condition below.
            var existing = await target.ReadJsonAsync<PredictionDocument>(cancellationToken);
            if ((await UploadedVersion.ReadAsync(image, cancellationToken))?.ETag != prediction.ETag) return false;
            if (existing is { Document: var document } && Remains(document, prediction)) return true;
            var unchanged = existing is { ETag: var version } ? new BlobRequestConditions { IfMatch = version } : JsonBlobs.New;
            // Each repetition follows a write of another call for this image, so that the loop ends with those calls.
            if (!await target.WriteJsonAsync(prediction, unchanged, cancellationToken, PredictionFilter.Metadata(prediction))) continue;
            PipelineMetrics.CountPrediction(prediction);
            return true;
        }
    }

    /// <summary>Lists the blobs of all documents, with their metadata, in the order of their names.</summary>
    internal IAsyncEnumerable<BlobItem> ListAsync(CancellationToken cancellationToken) =>
        Predictions.GetBlobsAsync(new GetBlobsOptions { Traits = BlobTraits.Metadata }, cancellationToken);

    /// <summary>Lists a page of documents in the order of their names.</summary>
    /// <param name="top">Maximum number of documents; fewer can come although there are more.</param>
    /// <param name="continuation">Continuation of the page before; null for the first page.</param>
    public async Task<(IReadOnlyList<PredictionDocument> Documents, string? Continuation)> ListAsync(
        PredictionFilter filter, int top, string? continuation, CancellationToken cancellationToken)
    {
        var found = new List<string>();
        for (var pages = 0; pages < PagesPerRequest && found.Count < top; pages++)
        {
            var options = new GetBlobsOptions { Prefix = filter.Prefix, Traits = BlobTraits.Metadata };
            var listing = Predictions.GetBlobsAsync(options, cancellationToken).AsPages(continuation, top - found.Count);
            await using var page = listing.GetAsyncEnumerator(cancellationToken);
            if (!await page.MoveNextAsync()) break;
            found.AddRange(page.Current.Values.Where(filter.Passes).Select(blob => blob.Name));
            continuation = page.Current.ContinuationToken is { Length: > 0 } token ? token : null;
            if (continuation is null) break;
        }
        var documents = new PredictionDocument?[found.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = DownloadsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, found.Count, parallel, async (i, stop) =>
            documents[i] = (await Predictions.GetBlobClient(found[i]).ReadJsonAsync<PredictionDocument>(stop))?.Document);
        return ([.. documents.OfType<PredictionDocument>()], continuation);
    }

    /// <summary>True when an existing document stays in place of a new one for the same or an older version.</summary>
    private static bool Remains(PredictionDocument existing, PredictionDocument prediction)
    {
        // The new one is for the image's current version, so a document of another version is older.
        if (existing.ETag != prediction.ETag) return false;
        if (existing.Status == PredictionStatus.Failed) return false;
        if (prediction.Status == PredictionStatus.Failed) return true;
        // Equal models, a rejection without one included: an activity ran twice, and the first document stays.
        return existing.Model == prediction.Model || existing.ModelPublishedAt >= prediction.ModelPublishedAt;
    }

    private BlobClient Document(string image) => Predictions.GetBlobClient(BlobNames.Prediction(image));
}

/// <summary>Conditions on prediction documents.</summary>
/// <param name="Status">Status to include; null for all.</param>
/// <param name="Prefix">Beginning of the image's name; null for all.</param>
/// <param name="Model">Model that answered; null for all.</param>
/// <param name="NotModel">Model whose answers are left out; documents without a model pass.</param>
public sealed record PredictionFilter(
    PredictionStatus? Status = null, string? Prefix = null, string? Model = null, string? NotModel = null)
{
    // Metadata of the blobs, which listing reads: a filter needs no document.
    private const string StatusKey = "status";
    private const string ModelKey = "model";
    private const string ETagKey = "imageetag";

    /// <summary>Returns the metadata of a document's blob.</summary>
    internal static Dictionary<string, string> Metadata(PredictionDocument prediction)
    {
        var metadata = new Dictionary<string, string> { [StatusKey] = $"{prediction.Status}", [ETagKey] = prediction.ETag };
        if (prediction.Model is { } model) metadata[ModelKey] = model;
        return metadata;
    }

    /// <summary>Returns the version of the image that a document is about; null when its blob's metadata lacks it.</summary>
    internal static string? ETag(BlobItem blob) => blob.Metadata.TryGetValue(ETagKey, out var etag) ? etag : null;

    /// <summary>True when a document passes, by its blob's metadata.</summary>
    internal bool Passes(BlobItem blob)
    {
        blob.Metadata.TryGetValue(ModelKey, out var model);
        return (Status is not { } status || (blob.Metadata.TryGetValue(StatusKey, out var word) && word == $"{status}"))
            && (Model is null || model == Model)
            && (NotModel is null || model != NotModel);
    }
}
