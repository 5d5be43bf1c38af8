using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Client of the pipeline as its users see it: HTTP for runs, one blob container for images, another for predictions.</summary>
/// <param name="http">Client with the Functions host as base address.</param>
/// <param name="blobs">Client of the storage account.</param>
public sealed partial class PipelineClient(HttpClient http, BlobServiceClient blobs)
{
    /// <summary>Starts a run.</summary>
    /// <exception cref="HttpRequestException">The request was refused; the message is the problem document.</exception>
    public async Task<RunAccepted> StartRunAsync(RunRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.PostAsJsonAsync("api/runs", request, PipelineJson.Options, cancellationToken);
        return await ReadAsync<RunAccepted>(response, cancellationToken);
    }

    /// <summary>Reads the state of a run.</summary>
    public async Task<RunView> GetRunAsync(string run, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync($"api/runs/{run}", cancellationToken);
        return await ReadAsync<RunView>(response, cancellationToken);
    }

    /// <summary>Yields a view of a run about every second, until the run has ended.</summary>
    public async IAsyncEnumerable<RunView> FollowAsync(string run, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var view = await GetRunAsync(run, cancellationToken);
            yield return view;
            if (view.RuntimeStatus is "Completed" or "Failed" or "Terminated") yield break;
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        }
    }

    /// <summary>Inspects a dataset: its form, its columns, and those that would be read.</summary>
    /// <exception cref="HttpRequestException">The request was refused; the message is the problem document.</exception>
    public async Task<DatasetInspection> InspectAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.PostAsJsonAsync("api/datasets/inspect", request, PipelineJson.Options, cancellationToken);
        return await ReadAsync<DatasetInspection>(response, cancellationToken);
    }

    /// <summary>Reads the first rows of an ingested dataset that were rejected for a reason.</summary>
    public async Task<IReadOnlyList<ManifestRow>> GetRejectedAsync(
        IngestReport dataset, string reason, int top, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(
            $"api/datasets/{dataset.Repo}/{dataset.Commit}/{dataset.View}/rows?reason={reason}&top={top}", cancellationToken);
        return (await ReadAsync<RowPage>(response, cancellationToken)).Rows;
    }

    /// <summary>Starts the ingestion of a dataset.</summary>
    /// <exception cref="HttpRequestException">The request was refused; the message is the problem document.</exception>
    public async Task<IngestionAccepted> StartIngestionAsync(DatasetRequest request, CancellationToken cancellationToken)
    {
        using var response = await http.PostAsJsonAsync("api/datasets/ingest", request, PipelineJson.Options, cancellationToken);
        return await ReadAsync<IngestionAccepted>(response, cancellationToken);
    }

    /// <summary>Waits for the end of an ingestion.</summary>
    /// <param name="show">Receives the progress about every second.</param>
    /// <exception cref="InvalidOperationException">The ingestion failed; the message has the reason.</exception>
    public async Task<IngestReport> FollowIngestionAsync(
        IngestionAccepted accepted, Action<RunProgress> show, CancellationToken cancellationToken)
    {
        while (true)
        {
            var state = (await http.GetFromJsonAsync<DurableStatus>(
                accepted.Management["statusQueryGetUri"], JsonSerializerOptions.Web, cancellationToken))!;
            if (state.CustomStatus is { ValueKind: JsonValueKind.Object } progress)
                show(progress.Deserialize<RunProgress>(PipelineJson.Options)!);
            switch (state.RuntimeStatus)
            {
                case "Completed":
                    return state.Output!.Value.Deserialize<IngestReport>(PipelineJson.Options)!;
                case "Failed" or "Terminated":
                    throw new InvalidOperationException(
                        $"The ingestion ended as {state.RuntimeStatus}: {TaskFailed().Replace($"{state.Output}", "")}");
            }
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        }
    }

    /// <summary>Reads an image of an ingested dataset.</summary>
    public async Task<BinaryData> GetImageAsync(IngestReport dataset, string sha256, CancellationToken cancellationToken)
    {
        var name = new DatasetBlobs(dataset.Repo, dataset.Commit, dataset.View).Image(sha256);
        return (await blobs.GetBlobContainerClient(Containers.Datasets).GetBlobClient(name).DownloadContentAsync(cancellationToken))
            .Value.Content;
    }

    /// <summary>Reads the metrics of a run.</summary>
    public async Task<IReadOnlyList<MetricsLine>> GetMetricsAsync(string run, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(new RunBlobs(run).Metrics);
        var content = await blob.DownloadContentAsync(cancellationToken);
        return [.. Lines<MetricsLine>(content.Value.Content)];
    }

    /// <summary>Reads every row of an ingested dataset, with its row status.</summary>
    public async Task<IReadOnlyList<ManifestRow>> GetRowsAsync(IngestReport dataset, CancellationToken cancellationToken)
    {
        var container = blobs.GetBlobContainerClient(Containers.Datasets);
        var manifests = new DatasetBlobs(dataset.Repo, dataset.Commit, dataset.View).Manifests;
        var rows = new List<ManifestRow>();
        await foreach (var blob in container.GetBlobsAsync(new GetBlobsOptions { Prefix = manifests }, cancellationToken))
        {
            var content = await container.GetBlobClient(blob.Name).DownloadContentAsync(cancellationToken);
            rows.AddRange(Lines<ManifestRow>(content.Value.Content));
        }
        return rows;
    }

    /// <summary>Reads the faults that a sample hub has injected.</summary>
    public async Task<IReadOnlyList<InjectedFault>> GetFaultsAsync(Uri hub, CancellationToken cancellationToken)
    {
        using var response = await http.GetAsync(new Uri(hub, "faults"), cancellationToken);
        return await ReadAsync<IReadOnlyList<InjectedFault>>(response, cancellationToken);
    }

    /// <summary>
    /// Copies a run's gallery and TensorBoard files to the subfolders <c>samples</c> and <c>tensorboard</c> of a local folder.
    /// </summary>
    public async Task SaveTrackingAsync(string run, string folder, CancellationToken cancellationToken)
    {
        var container = blobs.GetBlobContainerClient(Containers.Runs);
        var names = new RunBlobs(run);
        foreach (var prefix in new[] { names.Samples, names.Events })
        {
            await foreach (var blob in container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken))
            {
                var path = Path.Combine(folder, Path.GetRelativePath(run, blob.Name));
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await container.GetBlobClient(blob.Name).DownloadToAsync(path, cancellationToken);
            }
        }
    }

    /// <summary>Uploads an image as a user would.</summary>
    /// <returns>The ETag of the image's new version.</returns>
    public async Task<ETag> UploadAsync(string name, Stream image, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.ProductImages).GetBlobClient(name);
        return (await blob.UploadAsync(image, overwrite: true, cancellationToken)).Value.ETag;
    }

    /// <summary>Waits for the prediction of an uploaded image; null when there is none within <paramref name="limit"/>.</summary>
    public async Task<PredictionDocument?> WaitForPredictionAsync(string name, TimeSpan limit, CancellationToken cancellationToken)
    {
        var blob = blobs.GetBlobContainerClient(Containers.Predictions).GetBlobClient(BlobNames.Prediction(name));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(limit);
        try
        {
            while (true)
            {
                try
                {
                    var content = await blob.DownloadContentAsync(patience.Token);
                    return content.Value.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options);
                }
                catch (RequestFailedException missing) when (missing.Status == (int)HttpStatusCode.NotFound)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(250), patience.Token);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Yields the documents of uploaded images as they are written, until every image has the one of its version.</summary>
    /// <param name="versions">ETags of the images, by name.</param>
    public async IAsyncEnumerable<PredictionDocument> FollowPredictionsAsync(
        IReadOnlyDictionary<string, ETag> versions, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var container = blobs.GetBlobContainerClient(Containers.Predictions);
        var missing = versions.ToDictionary(image => BlobNames.Prediction(image.Key), image => image.Value);
        var options = new GetBlobsOptions { Prefix = CommonPrefix(missing.Keys) };
        // By name and ETag, so that a document of another version is read once.
        var read = new HashSet<(string, ETag?)>();
        while (missing.Count > 0)
        {
            await foreach (var blob in container.GetBlobsAsync(options, cancellationToken))
            {
                if (!missing.TryGetValue(blob.Name, out var version) || !read.Add((blob.Name, blob.Properties.ETag))) continue;
                var content = await container.GetBlobClient(blob.Name).DownloadContentAsync(cancellationToken);
                var document = content.Value.Content.ToObjectFromJson<PredictionDocument>(PipelineJson.Options)!;
                if (!IsOf(document, version)) continue;
                missing.Remove(blob.Name);
                yield return document;
            }
            if (missing.Count > 0) await Task.Delay(TimeSpan.FromMilliseconds(250), cancellationToken);
        }
    }

    /// <summary>True when a document is of this version of its image; some services put ETags in quotes.</summary>
    public static bool IsOf(PredictionDocument document, ETag version) => document.ETag.Trim('"') == version.ToString().Trim('"');

    private static string CommonPrefix(IReadOnlyCollection<string> names)
    {
        // All names lie between the first and the last in order.
        var (first, last) = (names.Min(StringComparer.Ordinal) ?? "", names.Max(StringComparer.Ordinal) ?? "");
        return first[..first.AsSpan().CommonPrefixLength(last)];
    }

    private static IEnumerable<T> Lines<T>(BinaryData content) => content.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => JsonSerializer.Deserialize<T>(line, PipelineJson.Compact)!);

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode) return (await response.Content.ReadFromJsonAsync<T>(PipelineJson.Options, cancellationToken))!;
        var problem = await response.Content.ReadAsStringAsync(cancellationToken);
        throw new HttpRequestException(
            $"{response.RequestMessage?.RequestUri} answered {(int)response.StatusCode}: {Describe(problem)}", null, response.StatusCode);
    }

    // The errors of a problem document with their fields; another body as it is.
    private static string Describe(string body)
    {
        try
        {
            var problem = JsonSerializer.Deserialize<Problem>(body, PipelineJson.Options)!;
            return problem.Errors is { Count: > 0 } errors ? string.Join("; ", errors.Select(error => $"{error.Field}: {error.Message}"))
                : problem.Field is { } field ? $"{field}: {problem.Detail}" : problem.Detail;
        }
        catch (JsonException)
        {
            return body;
        }
    }

    // Type and tasks that the durable extension puts before the message of a failed activity.
    [GeneratedRegex(@"\A(?:[^\s:]+: )?(?:Task '[^']*' \(#\d+\) failed with an unhandled exception: )+")]
    private static partial Regex TaskFailed();

    /// <summary>An orchestration in the durable extension's management API.</summary>
    private sealed record DurableStatus(string RuntimeStatus, JsonElement? CustomStatus, JsonElement? Output);
}
