using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>The blob containers.</summary>
public static class Containers
{
    /// <summary>Images, manifests, shards and catalogs of ingested datasets.</summary>
    public const string Datasets = "datasets";

    /// <summary>Requests, metrics, heartbeats and results of runs.</summary>
    public const string Runs = "runs";

    /// <summary>Base and fine-tuned models, and which one serves.</summary>
    public const string Models = "models";

    /// <summary>What users upload.</summary>
    public const string ProductImages = "product-images";

    /// <summary>What users get.</summary>
    public const string Predictions = "predictions";

    /// <summary>All of them, created at start.</summary>
    public static IReadOnlyList<string> All { get; } = [Datasets, Runs, Models, ProductImages, Predictions];
}

/// <summary>
/// Blob names in <see cref="Containers.Datasets"/> of one view of a dataset at one commit; also what stands for the view in durable state.
/// What is named by its content belongs to the dataset and not to a commit, so that a new commit finds what an older one brought.
/// </summary>
/// <param name="Repo">Repository id, <c>owner/name</c>.</param>
/// <param name="Commit">The pinned commit.</param>
/// <param name="View">A short hash of everything else that decides what the shards hold: configuration, columns, row limit, shares of validation and test.</param>
public sealed record DatasetBlobs(string Repo, string Commit, string View)
{
    /// <summary>Prefix of everything of the dataset.</summary>
    [JsonIgnore]
    public string Prefix => BlobNames.Slug(Repo);

    /// <summary>Prefix of everything that depends on the commit and the view.</summary>
    [JsonIgnore]
    public string ViewPrefix => $"{Prefix}/{Commit}/{View}";

    /// <summary>What will be read, and in which units.</summary>
    [JsonIgnore]
    public string Plan => $"{ViewPrefix}/plan.json";

    [JsonIgnore]
    public string Report => $"{ViewPrefix}/report.json";

    /// <summary>The view's training shards.</summary>
    [JsonIgnore]
    public string ShardList => $"{ViewPrefix}/shards.json";

    [JsonIgnore]
    public string CatalogCsv => $"{ViewPrefix}/catalog.csv";

    [JsonIgnore]
    public string CatalogParquet => $"{ViewPrefix}/catalog.parquet";

    /// <summary>Prefix of the manifests.</summary>
    [JsonIgnore]
    public string Manifests => $"{ViewPrefix}/manifests/";

    /// <summary>Prefix of what tells how far units are that have no manifest yet.</summary>
    [JsonIgnore]
    public string UnitsInWork => $"{ViewPrefix}/in-work/";

    /// <summary>Prefix of the shards.</summary>
    [JsonIgnore]
    public string Shards => $"{ViewPrefix}/shards/";

    /// <summary>A file of the dataset as the Hub has it.</summary>
    /// <param name="content">Its SHA-256, or what else the Hub names its content by.</param>
    public string File(string content) => $"{Prefix}/files/{content}";

    /// <summary>Raw bytes of an image, named by their SHA-256 in lower-case hexadecimal.</summary>
    public string Image(string sha256) => $"{Prefix}/images/{sha256[..2]}/{sha256}";

    /// <summary>Which image an address led to.</summary>
    /// <param name="urlSha256">SHA-256 of the address in UTF-8, lower-case hexadecimal.</param>
    public string Address(string urlSha256) => $"{Prefix}/urls/{urlSha256[..2]}/{urlSha256}.json";

    /// <summary>What was found in every row of one unit of ingestion, a JSON line each.</summary>
    public string Manifest(string split, int unit) => $"{Manifests}{split}-{unit:D5}.jsonl";

    /// <summary>How far a unit is, in the metadata of an empty blob; gone when its manifest is there.</summary>
    public string UnitInWork(string split, int unit) => $"{UnitsInWork}{split}-{unit:D5}";

    /// <summary>Which rows of a unit repeat earlier ones; not there when none does.</summary>
    public string Duplicates(string split, int unit) => $"{ViewPrefix}/duplicates/{split}-{unit:D5}.json";

    /// <summary>A WebDataset shard.</summary>
    public string Shard(string split, int number) => $"{Shards}{split}-{number:D5}.tar";

    /// <summary>What a shard holds, a JSON line for each sample in its order: <see cref="ShardSample"/>.</summary>
    public static string ShardIndex(string shard) => Path.ChangeExtension(shard, ".jsonl");
}

/// <summary>Blob names in <see cref="Containers.Runs"/> of one run.</summary>
public sealed record RunBlobs(string Run)
{
    /// <summary>Prefix of the index of all runs; no run's id has an underscore.</summary>
    public const string Index = "_index/";

    /// <summary>The run's entry in the index, empty: the time in its name makes the newest come first.</summary>
    public string IndexEntry(DateTimeOffset acceptedAt) => $"{Index}{DateTimeOffset.MaxValue.UtcTicks - acceptedAt.UtcTicks:D19}-{Run}";

    /// <summary>The request as it was accepted, with its commits pinned; its creation claims the run's id.</summary>
    public string Accepted => $"{Run}/accepted.json";

    /// <summary>The job that was started last, remembered so that it is not started twice.</summary>
    public string Job => $"{Run}/job.json";

    /// <summary>Present when the run was cancelled, so that a job that is being started meanwhile is stopped again.</summary>
    public string Cancelled => $"{Run}/cancelled.json";

    public string Request => $"{Run}/request.json";

    public string Metrics => $"{Run}/metrics.jsonl";

    public string Heartbeat => $"{Run}/heartbeat.json";

    public string Result => $"{Run}/result.json";

    /// <summary>Prefix of all checkpoints; each is a folder named by its step.</summary>
    public string Checkpoints => $"{Run}/checkpoints/";

    /// <summary>Folder of the checkpoint after a step.</summary>
    public string Checkpoint(int step) => $"{Checkpoints}{step:D8}";

    /// <summary>Samples that are answered at every validation: their images, and <c>samples.json</c>.</summary>
    public string Samples => $"{Run}/samples/";

    /// <summary>Prefix of TensorBoard's event files: <c>tensorboard --logdir</c> of a copy of this folder shows the run.</summary>
    public string Events => $"{Run}/tensorboard/";
}

/// <summary>Blob names that belong to no single dataset or run.</summary>
public static class BlobNames
{
    /// <summary>In <see cref="Containers.Models"/>: which version serves.</summary>
    public const string CurrentModel = "current.json";

    /// <summary>In <see cref="Containers.Models"/>: the folder of a mirrored base checkpoint.</summary>
    public static string BaseModel(string repo, string commit) => $"{Slug(repo)}@{commit}";

    /// <summary>The repository whose mirror a folder is; null for one that is none.</summary>
    public static string? HubRepo(string baseModel) =>
        baseModel.Split('@')[0].Split("--") is [{ Length: > 0 } owner, .. { Length: > 0 } name] ? $"{owner}/{string.Join("--", name)}" : null;

    /// <summary>In <see cref="Containers.Models"/>: written last, so that its presence says that a model folder is whole.</summary>
    public static string ModelComplete(string version) => $"{version}/complete.json";

    /// <summary>In <see cref="Containers.Predictions"/>: the answer to an uploaded image.</summary>
    public static string Prediction(string image) => $"{image}.json";

    /// <summary>A repository id as one path segment: <c>owner--name</c>.</summary>
    public static string Slug(string repo) => repo.Replace("/", "--", StringComparison.Ordinal);
}
