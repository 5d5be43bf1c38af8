using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Storage;
using FunctionsPipeline.FunctionApp.Runs;

namespace FunctionsPipeline.FunctionApp.Models;

/// <summary>Reads models in storage together with the documents of the runs that trained them.</summary>
public sealed class ModelCatalog(BlobServiceClient blobs, RunDocumentStore runs)
{
    private const int LookupsAtOnce = 8;
    private const string Card = "README.md";

    private BlobContainerClient Container => blobs.GetBlobContainerClient(Containers.Models);

    /// <summary>Lists all complete models, newest first.</summary>
    /// <param name="current">The serving model; null when there is none.</param>
    public async Task<IReadOnlyList<ModelView>> ListAsync(CurrentModel? current, CancellationToken cancellationToken)
    {
        var folders = await Container
            .GetBlobsByHierarchyAsync(new GetBlobsByHierarchyOptions { Delimiter = "/" }, cancellationToken)
            .Where(item => item.IsPrefix).Select(item => item.Prefix.TrimEnd('/')).ToListAsync(cancellationToken);
        var views = new ModelView?[folders.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = LookupsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, folders.Count, parallel, async (i, stop) => views[i] = await ViewAsync(folders[i], current, stop));
        return [.. views.OfType<ModelView>().OrderByDescending(view => view.CompletedAt)];
    }

    /// <summary>Describes a model that a run has fine-tuned, as a candidate to serve.</summary>
    /// <exception cref="RequestException">There is no such model (404), or it is incomplete or no fine-tuned model (409).</exception>
    public async Task<CurrentModel> CandidateAsync(string version, DateTimeOffset at, CancellationToken cancellationToken)
    {
        if (await CompletedAtAsync(version, cancellationToken) is null)
        {
            var files = Container.GetBlobsAsync(new GetBlobsOptions { Prefix = $"{version}/" }, cancellationToken);
            throw await files.AnyAsync(cancellationToken)
                ? Refusal(409, $"The model '{version}' is incomplete: {Containers.Models}/{BlobNames.ModelComplete(version)} is missing.")
                : Refusal(404, $"There is no model '{version}'.");
        }
        if (await runs.ResultAsync(version, cancellationToken) is not { FineTuned: { } metrics } result || result.Model != version
            || await runs.JobAsync(version, cancellationToken) is not { } job)
        {
            throw Refusal(409, $"The model '{version}' was not fine-tuned by a run of this name, so that nothing is known of its answers.");
        }
        return new CurrentModel
        {
            Version = version,
            Run = result.Run,
            ValidationLoss = metrics.Loss,
            Dataset = job.ValidationViews,
            PublishedAt = at,
        };
    }

    private async Task<ModelView?> ViewAsync(string version, CurrentModel? current, CancellationToken cancellationToken)
    {
        if (await CompletedAtAsync(version, cancellationToken) is not { } completedAt) return null;
        var view = new ModelView
        {
            Version = version,
            Serves = version == current?.Version,
            CompletedAt = completedAt,
            Card = await CardAsync(version, cancellationToken),
        };
        try
        {
            // The folder of a fine-tuned model has the name of its run.
            if (await runs.ResultAsync(version, cancellationToken) is not { } result || result.Model != version) return view;
            var job = await runs.JobAsync(version, cancellationToken);
            return view with
            {
                Run = result.Run,
                BaseModel = job?.BaseModel,
                Dataset = job?.Dataset,
                Base = result.Base,
                FineTuned = result.FineTuned,
                Test = result.Test,
            };
        }
        catch (JsonException)
        {
            // Documents of an older version of the app may have other members; the model is listed without its figures.
            return view;
        }
    }

    private async Task<DateTimeOffset?> CompletedAtAsync(string version, CancellationToken cancellationToken) =>
        (await Container.GetBlobClient(BlobNames.ModelComplete(version)).FindPropertiesAsync(cancellationToken))?.LastModified;

    private async Task<string?> CardAsync(string version, CancellationToken cancellationToken)
    {
        try
        {
            return (await Container.GetBlobClient($"{version}/{Card}").DownloadContentAsync(cancellationToken)).Value.Content.ToString();
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    private static RequestException Refusal(int status, string message) => new("version", status, message);
}
