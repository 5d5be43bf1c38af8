using System.Globalization;
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

    // Bound the time of one request that counts: 20 pages of the container, and documents whose confidence their blobs' metadata lack.
    private const int MostCounted = 100_000;
    private const int MostRead = 1000;

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
        var (found, next) = await FindAsync(filter, top, continuation, cancellationToken);
        return (await ReadAsync(filter, found, cancellationToken), next);
    }

    /// <summary>Finds the blobs of a page of documents, without reading them.</summary>
    /// <inheritdoc cref="ListAsync(PredictionFilter, int, string?, CancellationToken)"/>
    public async Task<(IReadOnlyList<BlobItem> Found, string? Continuation)> FindAsync(
        PredictionFilter filter, int top, string? continuation, CancellationToken cancellationToken)
    {
        var found = new List<BlobItem>();
        for (var pages = 0; pages < PagesPerRequest && found.Count < top; pages++)
        {
            var options = new GetBlobsOptions { Prefix = filter.Prefix, Traits = BlobTraits.Metadata };
            var listing = Predictions.GetBlobsAsync(options, cancellationToken).AsPages(continuation, top - found.Count);
            await using var page = listing.GetAsyncEnumerator(cancellationToken);
            if (!await page.MoveNextAsync()) break;
            found.AddRange(page.Current.Values.Where(blob => filter.Passes(blob) != false));
            continuation = page.Current.ContinuationToken is { Length: > 0 } token ? token : null;
            if (continuation is null) break;
        }
        return (found, continuation);
    }

    /// <summary>Reads the documents of a page that pass a filter.</summary>
    /// <param name="found">Blobs that <see cref="FindAsync"/> found.</param>
    public async Task<IReadOnlyList<PredictionDocument>> ReadAsync(
        PredictionFilter filter, IReadOnlyList<BlobItem> found, CancellationToken cancellationToken)
    {
        var documents = new PredictionDocument?[found.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = DownloadsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, found.Count, parallel, async (i, stop) =>
            documents[i] = (await Predictions.GetBlobClient(found[i].Name).ReadJsonAsync<PredictionDocument>(stop))?.Document);
        return [.. documents.Where((document, i) => document is not null && (filter.Passes(found[i]) ?? filter.Passes(document)))!];
    }

    /// <summary>Counts documents by status, and those of low confidence.</summary>
    /// <param name="prefix">Beginning of the images' names; null for all.</param>
    /// <param name="below">Confidence below which an answer is of low confidence; null for none.</param>
    /// <returns>The counts, without images that wait.</returns>
    public async Task<UploadCounts> CountAsync(string? prefix, double? below, CancellationToken cancellationToken)
    {
        var byStatus = new Dictionary<PredictionStatus, int>();
        var low = new PredictionFilter(PredictionStatus.Predicted, Below: below);
        var (count, lowConfidence, complete) = (0, 0, true);
        var unknown = new List<BlobItem>();
        var options = new GetBlobsOptions { Prefix = prefix, Traits = BlobTraits.Metadata };
        await foreach (var blob in Predictions.GetBlobsAsync(options, cancellationToken))
        {
            if (++count > MostCounted)
            {
                complete = false;
                break;
            }
            if (PredictionFilter.StatusOf(blob) is { } status) byStatus[status] = byStatus.GetValueOrDefault(status) + 1;
            if (below is null || low.Passes(blob) is not { } isLow) unknown.Add(blob);
            else if (isLow) lowConfidence++;
        }
        if (below is not null)
        {
            lowConfidence += (await ReadAsync(low, [.. unknown.Take(MostRead)], cancellationToken)).Count;
            complete &= unknown.Count <= MostRead;
        }
        return new UploadCounts(
            byStatus.GetValueOrDefault(PredictionStatus.Predicted), byStatus.GetValueOrDefault(PredictionStatus.Rejected),
            byStatus.GetValueOrDefault(PredictionStatus.Failed), lowConfidence, Waiting: 0, complete);
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
/// <param name="Below">Confidence in the answer that documents are below; null for all. Only answers have one.</param>
public sealed record PredictionFilter(
    PredictionStatus? Status = null, string? Prefix = null, string? Model = null, string? NotModel = null, double? Below = null)
{
    // Metadata of the blobs, which listing reads: a filter needs no document, except that of an earlier version, without its confidence.
    private const string StatusKey = "status";
    private const string ModelKey = "model";
    private const string ETagKey = "imageetag";
    private const string ConfidenceKey = "confidence";

    /// <summary>Returns the metadata of a document's blob.</summary>
    internal static Dictionary<string, string> Metadata(PredictionDocument prediction)
    {
        var metadata = new Dictionary<string, string> { [StatusKey] = $"{prediction.Status}", [ETagKey] = prediction.ETag };
        if (prediction.Model is { } model) metadata[ModelKey] = model;
        if (prediction.Confidence is { } confidence)
            metadata[ConfidenceKey] = confidence.Answer.ToString(CultureInfo.InvariantCulture);
        return metadata;
    }

    /// <summary>Returns the version of the image that a document is about; null when its blob's metadata lacks it.</summary>
    internal static string? ETag(BlobItem blob) => blob.Metadata.TryGetValue(ETagKey, out var etag) ? etag : null;

    /// <summary>Returns the status of a document; null when its blob's metadata lacks it.</summary>
    internal static PredictionStatus? StatusOf(BlobItem blob) =>
        blob.Metadata.TryGetValue(StatusKey, out var word) && Enum.TryParse<PredictionStatus>(word, out var status) ? status : null;

    /// <summary>True when a document passes, by its blob's metadata; null when only the document tells.</summary>
    internal bool? Passes(BlobItem blob)
    {
        blob.Metadata.TryGetValue(ModelKey, out var model);
        var status = StatusOf(blob);
        if (!((Status is null || status == Status) && (Model is null || model == Model) && (NotModel is null || model != NotModel)))
            return false;
        if (Below is not { } below) return true;
        if (status != PredictionStatus.Predicted) return false;
        return blob.Metadata.TryGetValue(ConfidenceKey, out var confidence)
            ? double.Parse(confidence, CultureInfo.InvariantCulture) < below
            : null;
    }

    /// <summary>True when a document passes whose blob's metadata does not tell; one without a confidence does not.</summary>
    internal bool Passes(PredictionDocument document) => document.Confidence?.Answer < Below;
}
