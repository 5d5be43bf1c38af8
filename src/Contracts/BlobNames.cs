using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>Names of the blob containers.</summary>
public static class Containers
{
    /// <summary>Images, manifests, shards and catalogs of ingested datasets.</summary>
    public const string Datasets = "datasets";

    /// <summary>Requests, metrics, heartbeats and results of runs.</summary>
    public const string Runs = "runs";

    /// <summary>Base and fine-tuned models, and the pointer to the serving version.</summary>
    public const string Models = "models";

    /// <summary>Images that users upload.</summary>
    public const string ProductImages = "product-images";

    /// <summary>Prediction documents, one for each uploaded image.</summary>
    public const string Predictions = "predictions";

    /// <summary>Right answers to uploaded images, as people gave them.</summary>
    public const string Corrections = "corrections";

    /// <summary>All containers; created at startup.</summary>
    public static IReadOnlyList<string> All { get; } = [Datasets, Runs, Models, ProductImages, Predictions, Corrections];
}

/// <summary>
/// Blob names in <see cref="Containers.Datasets"/> of one view of a dataset at one commit; also the reference to the view in durable state.
/// Content-addressed blobs belong to the dataset, not to a commit, so that a new commit reuses the files and images of older ones.
/// </summary>
/// <param name="Repo">Repository id, <c>owner/name</c>.</param>
/// <param name="Commit">The pinned commit.</param>
/// <param name="View">Short hash of everything else that determines the shards: configuration, columns, row limit, shares of validation and
/// test.</param>
public sealed record DatasetBlobs(string Repo, string Commit, string View)
{
    /// <summary>Prefix of all blobs of the dataset.</summary>
    [JsonIgnore]
    public string Prefix => BlobNames.Slug(Repo);

    /// <summary>Prefix of the blobs that depend on the commit and the view.</summary>
    [JsonIgnore]
    public string ViewPrefix => $"{Prefix}/{Commit}/{View}";

    /// <summary>The ingestion plan without its files and units, which have blobs of their own; written last.</summary>
    [JsonIgnore]
    public string Plan => $"{ViewPrefix}/plan.json";

    [JsonIgnore]
    public string Report => $"{ViewPrefix}/report.json";

    /// <summary>The list of the view's training shards.</summary>
    [JsonIgnore]
    public string ShardList => $"{ViewPrefix}/shards.json";

    /// <summary>The catalog; a large one is divided, see <see cref="CatalogPart"/>.</summary>
    [JsonIgnore]
    public string CatalogCsv => $"{ViewPrefix}/catalog.csv";

    [JsonIgnore]
    public string CatalogParquet => $"{ViewPrefix}/catalog.parquet";

    /// <summary>Summary of the complete catalog, from which the report is made.</summary>
    [JsonIgnore]
    public string Summary => $"{ViewPrefix}/summary.json";

    /// <summary>Prefix of what the parts of a catalog exchange; deleted once the report is written.</summary>
    [JsonIgnore]
    public string Merging => $"{ViewPrefix}/merging/";

    /// <summary>Prefix of the manifests.</summary>
    [JsonIgnore]
    public string Manifests => $"{ViewPrefix}/manifests/";

    /// <summary>Prefix of the progress blobs of units in progress, which have no manifest yet.</summary>
    [JsonIgnore]
    public string UnitsInProgress => $"{ViewPrefix}/in-work/";

    /// <summary>Prefix of the shards.</summary>
    [JsonIgnore]
    public string Shards => $"{ViewPrefix}/shards/";

    /// <summary>Some consecutive tables that are converted to Parquet before the view is planned, with the request.</summary>
    public string PlannedTables(int part) => $"{ViewPrefix}/plan/tables-{part:D5}.json";

    /// <summary>Some consecutive files of the plan.</summary>
    public string PlannedFiles(int part) => $"{ViewPrefix}/plan/files-{part:D5}.json";

    /// <summary>Some consecutive units of the plan.</summary>
    public string PlannedUnits(int part) => $"{ViewPrefix}/plan/units-{part:D5}.json";

    /// <summary>A part of a divided catalog, without its extension, <c>.csv</c> or <c>.parquet</c>.</summary>
    public string CatalogPart(int part) => $"{ViewPrefix}/catalog/part-{part:D5}";

    /// <summary>Summary of a part of the catalog.</summary>
    public string SummaryPart(int part) => $"{Merging}summary-{part:D5}.json";

    /// <summary>Perceptual hashes of the images of a part of the catalog.</summary>
    public string ImageHashes(int part) => $"{Merging}hashes-{part:D5}";

    /// <summary>Keys of the rows of a part of the catalog, as far as they belong to a partition.</summary>
    public string RowKeys(int partition, int part) => $"{Merging}keys-{partition:D5}-{part:D5}";

    /// <summary>Rows of a part of the catalog that repeat earlier rows, as far as a partition finds them.</summary>
    public string RepeatedRows(int part, int partition) => $"{Merging}repeats-{part:D5}-{partition:D5}";

    /// <summary>Keys and images of the rows of a part of the catalog that have a product, as far as they belong to a partition.</summary>
    public string ProductKeys(int partition, int part) => $"{Merging}products-{partition:D5}-{part:D5}";

    /// <summary>Rows of a part of the catalog that are merged into earlier ones, as far as a partition finds them.</summary>
    public string ProductRows(int part, int partition) => $"{Merging}merged-{part:D5}-{partition:D5}";

    /// <summary>Rows of a part of the catalog that others are merged into, as far as a partition finds them.</summary>
    public string ProductSamples(int part, int partition) => $"{Merging}samples-{part:D5}-{partition:D5}";

    /// <summary>A file of the dataset, byte for byte as on the Hub.</summary>
    /// <param name="content">Content id: the file's SHA-256, or its git blob id where the Hub gives no SHA-256.</param>
    public string File(string content) => $"{Prefix}/files/{content}";

    /// <summary>Raw bytes of an image, named by their SHA-256 in lower-case hexadecimal.</summary>
    public string Image(string sha256) => $"{Prefix}/images/{sha256[..2]}/{sha256}";

    /// <summary>Record of the image that a URL resolved to.</summary>
    /// <param name="urlSha256">SHA-256 of the URL in UTF-8, lower-case hexadecimal.</param>
    public string FetchedUrl(string urlSha256) => $"{Prefix}/urls/{urlSha256[..2]}/{urlSha256}.json";

    /// <summary>Manifest of one unit of ingestion: the status of each row, one JSON line per row.</summary>
    public string Manifest(string split, int unit) => $"{Manifests}{split}-{unit:D5}.jsonl";

    /// <summary>Progress of a unit, in the metadata of an empty blob; deleted once the unit's manifest is written.</summary>
    public string UnitInProgress(string split, int unit) => $"{UnitsInProgress}{split}-{unit:D5}";

    /// <summary>Prefix of the indices of rows that repeat earlier rows.</summary>
    [JsonIgnore]
    public string DuplicateRows => $"{ViewPrefix}/duplicates/";

    /// <summary>Indices of the rows of a unit that repeat earlier rows; absent when there are none.</summary>
    public string Duplicates(string split, int unit) => $"{DuplicateRows}{split}-{unit:D5}.json";

    /// <summary>Prefix of the rows whose product has several rows in one sample.</summary>
    [JsonIgnore]
    public string MergedRows => $"{ViewPrefix}/merged/";

    /// <summary>Rows of a unit whose product has several rows in one sample; absent when there are none.</summary>
    public string Merged(string split, int unit) => $"{MergedRows}{split}-{unit:D5}.json";

    /// <summary>A WebDataset shard.</summary>
    public string Shard(string split, int number) => $"{Shards}{split}-{number:D5}.tar";

    /// <summary>Returns the <see cref="ViewPrefix"/> of the view that a shard belongs to.</summary>
    public static string ViewOf(string shard) => shard[..shard.LastIndexOf("/shards/", StringComparison.Ordinal)];

    /// <summary>Index of a shard: one <see cref="ShardSample"/> per JSON line, in the order of the samples.</summary>
    public static string ShardIndex(string shard) => Path.ChangeExtension(shard, ".jsonl");
}

/// <summary>Blob names in <see cref="Containers.Runs"/> of one run.</summary>
public sealed record RunBlobs(string Run)
{
    /// <summary>Prefix of the index of all runs; cannot collide with a run, as run ids have no underscores.</summary>
    public const string Index = "_index/";

    /// <summary>Prefix of the index of all sweeps.</summary>
    public const string SweepIndex = "_sweeps/";

    /// <summary>The last push to the dataset whose run has not been started yet.</summary>
    public const string WaitingPush = "_retraining/push.json";

    /// <summary>The accepted request of a run or a sweep with pinned commits; creating this blob claims the id.</summary>
    public string Accepted => $"{Run}/accepted.json";

    /// <summary>The last job started, recorded so that an activity that runs twice does not start a second one.</summary>
    public string Job => $"{Run}/job.json";

    /// <summary>Marker of a cancelled run; stops a job whose start races with the cancellation.</summary>
    public string Cancelled => $"{Run}/cancelled.json";

    /// <summary>Lock of the app's instance that starts a job.</summary>
    public string StartLock => $"{Run}/start.lock";

    /// <summary>Lock of the worker that trains the run; a second one meets it and ends.</summary>
    public string WorkerLock => $"{Run}/worker.lock";

    public string Request => $"{Run}/request.json";

    public string Metrics => $"{Run}/metrics.jsonl";

    public string Heartbeat => $"{Run}/heartbeat.json";

    public string Result => $"{Run}/result.json";

    /// <summary>Prefix of all checkpoints; each is a folder named by its step.</summary>
    public string Checkpoints => $"{Run}/checkpoints/";

    /// <summary>Folder of the checkpoint written after a step.</summary>
    public string Checkpoint(int step) => $"{Checkpoints}{step:D8}";

    /// <summary>Folder of the gallery, the samples answered at every validation: images and <c>samples.json</c>.</summary>
    public string Samples => $"{Run}/samples/";

    /// <summary>The document of the gallery.</summary>
    public string Gallery => Samples + SampleGallery.FileName;

    /// <summary>The answers to the samples of the evaluations, one <see cref="EvaluatedAnswer"/> per line.</summary>
    public string Predictions => $"{Run}/predictions.jsonl";

    /// <summary>Prefix of TensorBoard's event files: <c>tensorboard --logdir</c> of a copy of this folder shows the run.</summary>
    public string Events => $"{Run}/tensorboard/";
}

/// <summary>Blob names that belong to no single dataset or run.</summary>
public static class BlobNames
{
    /// <summary>In <see cref="Containers.Models"/>: the document that names the serving version.</summary>
    public const string CurrentModel = "current.json";

    /// <summary>In <see cref="Containers.Models"/>: every change of the serving model, one <see cref="ModelChange"/> per line.</summary>
    public const string ModelHistory = "history.jsonl";

    /// <summary>In <see cref="Containers.Models"/>: the folder of a mirrored base checkpoint.</summary>
    public static string BaseModel(string repo, string commit) => $"{Slug(repo)}@{commit}";

    /// <summary>Repository id of a mirrored base checkpoint's folder; null when the folder is not a mirror.</summary>
    // huggingface_hub refuses ids with "--", so that the first one separates owner and name.
    public static string? HubRepo(string baseModel) =>
        baseModel.Split('@')[0].Split("--") is [{ Length: > 0 } owner, .. { Length: > 0 } name]
            ? $"{owner}/{string.Join("--", name)}"
            : null;

    /// <summary>In <see cref="Containers.Models"/>: marker written last; its presence means that the model folder is complete.</summary>
    public static string ModelComplete(string version) => $"{version}/complete.json";

    /// <summary>In <see cref="Containers.Predictions"/>: the prediction document of an uploaded image.</summary>
    public static string Prediction(string image) => $"{image}.json";

    /// <summary>In <see cref="Containers.Corrections"/>: the correction of an uploaded image.</summary>
    public static string Correction(string image) => $"{image}.json";

    /// <summary>Converts a repository id to one path segment: <c>owner--name</c>.</summary>
    public static string Slug(string repo) => repo.Replace("/", "--", StringComparison.Ordinal);
}
