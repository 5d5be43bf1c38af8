using System.Collections.ObjectModel;
using System.ComponentModel;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>Body of <c>POST /api/runs</c>: the dataset, the base model and the training settings.</summary>
public sealed record RunRequest
{
    /// <summary>
    /// The run's id and its orchestration instance id: 1 to 40 lower-case letters, digits and dashes. Generated when left out.
    /// </summary>
    public string? Run { get; init; }

    /// <summary>The dataset to train on.</summary>
    public DatasetRequest Dataset { get; init; } = new();

    /// <summary>The checkpoint to fine-tune.</summary>
    public BaseModelRequest BaseModel { get; init; } = new();

    /// <summary>Training settings.</summary>
    public TrainingSettings Training { get; init; } = new();

    /// <summary>True to publish the fine-tuned model when its validation loss is no worse than the serving model's.</summary>
    public bool Publish { get; init; } = true;

    /// <summary>
    /// True to train on corrected images too, those that have not changed since: their splits follow the dataset's rule.
    /// </summary>
    public bool IncludeCorrections { get; init; }
}

/// <summary>A dataset, on the Hugging Face Hub or in blob storage, and the part of it to use.</summary>
public sealed record DatasetRequest
{
    /// <summary>
    /// Repository id on the Hub, <c>owner/name</c>. With <see cref="Source"/> the name that the dataset gets; made from the source when
    /// left out.
    /// </summary>
    [DefaultValue("")]
    public string Repo { get; init; } = "";

    /// <summary>A folder of the storage account in place of a repository.</summary>
    public DatasetSource? Source { get; init; }

    /// <summary>Branch, tag or commit; pinned to a commit when the run starts.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>
    /// Name of an ingested view of the commit in <see cref="Revision"/>, such as that of a retry, to use as it is; all members but
    /// <see cref="Repo"/> and <see cref="Revision"/> are left out then. Ingested by the other members when left out.
    /// </summary>
    public string? View { get; init; }

    /// <summary>Dataset configuration; the first one when left out.</summary>
    public string? Config { get; init; }

    /// <summary>Column mapping; guessed from the dataset's schema when left out.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>Use of a product's images, when the image column is a list or rows repeat a product.</summary>
    public ImageUse Images { get; init; } = ImageUse.First;

    /// <summary>Maximum number of images of a product that are used, with <see cref="Images"/> other than <c>first</c>.</summary>
    public int MaxImages { get; init; } = 4;

    /// <summary>Maximum number of rows, taken from the dataset's splits in proportion to their sizes; no limit when left out.</summary>
    public int? MaxRows { get; init; }

    /// <summary>
    /// Share of products used for validation when the dataset has no validation split; selected by a hash of the product, so that a product
    /// never changes sides.
    /// </summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>Share of products used for the test at the end of the run when the dataset has no test split; may be 0.</summary>
    public double TestFraction { get; init; } = 0.1;
}

/// <summary>A folder of blob storage with a dataset.</summary>
public sealed record DatasetSource
{
    /// <summary>Name of the container, in the pipeline's storage account.</summary>
    public string Container { get; init; } = "";

    /// <summary>Names of the blobs begin with it: a folder, with or without a slash at its end; all blobs when left out.</summary>
    public string? Prefix { get; init; }

    /// <summary>The prefix with a slash at its end; empty for all blobs.</summary>
    [JsonIgnore]
    public string Folder => Prefix?.Trim('/') is { Length: > 0 } folder ? $"{folder}/" : "";
}

/// <summary>Uses of several images of one product.</summary>
public enum ImageUse
{
    /// <summary>The first image only; repeated rows are samples of their own.</summary>
    First,

    /// <summary>One sample for each image.</summary>
    Samples,

    /// <summary>
    /// One sample for each product, whose prompt has all its images. Rows that repeat a product are merged into the first one, wherever
    /// they are in the dataset.
    /// </summary>
    Prompt,
}

/// <summary>Maps dataset columns to roles; only the image column is required.</summary>
public sealed record ColumnMapping
{
    /// <summary>
    /// Column with the image: a URL (string), an embedded image (binary, or <c>struct&lt;bytes, path&gt;</c>), or a list of them
    /// with the first one used.
    /// </summary>
    public string Image { get; init; } = "image";

    /// <summary>Column with the product's title: a string; numbers and dates are formatted as text.</summary>
    public string? Title { get; init; }

    /// <summary>
    /// Column with the category: a string, a boolean, or an integer; the integers of a ClassLabel are replaced by their class names.
    /// </summary>
    public string? Category { get; init; }

    /// <summary>Column with the full price: a number, or a string that holds one, such as <c>$1,290.00</c>.</summary>
    public string? Price { get; init; }

    /// <summary>Columns of further fields, such as brand or colour, by the names that templates and documents use.</summary>
    public IReadOnlyDictionary<string, FieldColumn>? Fields { get; init; }

    /// <summary>
    /// Column that identifies the product (string or integer), so that all rows of a product are in the same split; the image's hash
    /// identifies it when left out.
    /// </summary>
    public string? Product { get; init; }

    /// <summary>The fields that have a column: title, category and price first, then the others.</summary>
    [JsonIgnore]
    public IReadOnlyList<FieldDefinition> Definitions =>
    [
        .. FieldDefinition.Defaults.Zip([Title, Category, Price]).Where(known => known.Second is not null).Select(known => known.First),
        .. Further,
    ];

    /// <summary>The fields besides title, category and price.</summary>
    [JsonIgnore]
    public IReadOnlyList<FieldDefinition> Further =>
    [
        .. FurtherColumns.Select(other => new FieldDefinition(other.Key, other.Value.Kind, other.Value.Unit)),
    ];

    /// <summary>Columns of the fields besides title, category and price, by the fields' names; empty for none.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, FieldColumn> FurtherColumns => Fields ?? ReadOnlyDictionary<string, FieldColumn>.Empty;

    /// <summary>Names of all columns that are read.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Names =>
    [
        .. new[] { Image, Title, Category, Price, Product }.OfType<string>(),
        .. FurtherColumns.Values.Select(further => further.Column),
    ];
}

/// <summary>Column of a field besides title, category and price.</summary>
public sealed record FieldColumn
{
    /// <summary>The column's name.</summary>
    public string Column { get; init; } = "";

    /// <summary>Kind of the field, which decides how values are read, answered and measured.</summary>
    public FieldKind Kind { get; init; } = FieldKind.Text;

    /// <summary>Unit of a number, such as <c>g</c>; null for none.</summary>
    public string? Unit { get; init; }
}

/// <summary>A base checkpoint on the Hugging Face Hub.</summary>
public sealed record BaseModelRequest
{
    /// <summary>Repository id, <c>owner/name</c>.</summary>
    public string Repo { get; init; } = "microsoft/Phi-3-vision-128k-instruct";

    /// <summary>Branch, tag or commit; pinned to a commit when the run starts.</summary>
    public string Revision { get; init; } = "main";
}

/// <summary>Response to <c>POST /api/runs</c>: the run that now starts.</summary>
/// <param name="StatusUrl">URL of the run's status.</param>
public sealed record RunAccepted(string Run, string StatusUrl)
{
    /// <summary>
    /// The URLs of the durable extension's management API for this run, by their names in that API, such as <c>statusQueryGetUri</c>.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Management { get; init; }
}

/// <summary>A run in the HTTP API: the response to <c>GET /api/runs/{run}</c> and an entry of <c>GET /api/runs</c>.</summary>
public sealed record RunView
{
    public required string Run { get; init; }

    /// <summary>
    /// The orchestration's runtime status: <c>Pending</c>, <c>Running</c>, <c>Completed</c>, <c>Failed</c>, <c>Terminated</c> or
    /// <c>Suspended</c>.
    /// </summary>
    public required string RuntimeStatus { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset LastUpdatedAt { get; init; }

    public RunProgress? Status { get; init; }

    /// <summary>Result of the run; null until completed.</summary>
    public RunOutcome? Outcome { get; init; }

    /// <summary>Reason for the failure; null unless failed.</summary>
    public string? Error { get; init; }
}

/// <summary>A page of runs, newest first: the response to <c>GET /api/runs</c>.</summary>
/// <param name="Runs">Runs of the page; completed ones with runtime status and times only. A page may be short although another
/// follows.</param>
/// <param name="Continuation">Token that requests the next page; null on the last page.</param>
public sealed record RunPage(IReadOnlyList<RunView> Runs, string? Continuation);

/// <summary>A run at a glance: the response to <c>GET /api/runs/{run}/summary</c>.</summary>
public sealed record RunSummary
{
    public required string Run { get; init; }

    /// <summary>Repository id of the dataset.</summary>
    public required string Dataset { get; init; }

    /// <summary>The sweep that the run belongs to; null for none.</summary>
    public string? Sweep { get; init; }

    /// <summary>Training losses at no more than 100 steps, spread evenly, in nats per answer token.</summary>
    public required IReadOnlyList<CurvePoint> TrainingLoss { get; init; }

    /// <summary>Validation losses, that of the base model (step 0) included.</summary>
    public required IReadOnlyList<CurvePoint> ValidationLoss { get; init; }

    /// <summary>Result of the training; null until there is one.</summary>
    public TrainingResult? Result { get; init; }
}

/// <summary>A point of a curve over the steps of a run.</summary>
public sealed record CurvePoint(int Step, double Value);

/// <summary>
/// Progress of a run: the orchestration's custom status, shown by <c>GET /api/runs/{run}</c>. Must stay below 16 kB, Durable Functions'
/// limit for a custom status.
/// </summary>
public sealed record RunProgress
{
    public required RunPhase Phase { get; init; }

    /// <summary>Human-readable description of the current step.</summary>
    public string? Message { get; init; }

    /// <summary>Counts of the rows ingested so far.</summary>
    public RowCounts? Rows { get; init; }

    /// <summary>Number of rows in the dataset view.</summary>
    public long? TotalRows { get; init; }

    /// <summary>Counts of the corrections that the run includes; null when it includes none.</summary>
    public RowCounts? Corrections { get; init; }

    /// <summary>Throughput of the ingestion.</summary>
    public IngestRate? Rate { get; init; }

    /// <summary>Mapped columns of the dataset.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>Reasons for the guessed columns; null when the request names the columns.</summary>
    public string? ColumnsGuess { get; init; }

    /// <summary>The worker's last heartbeat.</summary>
    public Heartbeat? Training { get; init; }
}

/// <summary>Phases of a run, in order.</summary>
public enum RunPhase
{
    Resolving,
    Ingesting,
    Mirroring,
    Training,
    Publishing,
    Done,
}

/// <summary>Outcome of a completed run: its dataset, its training, and its publication; the orchestration's output.</summary>
/// <param name="Published">True when the fine-tuned model now serves.</param>
/// <param name="PublishDecision">Reason for publishing the model or not.</param>
public sealed record RunOutcome(IngestReport Dataset, TrainingResult Result, bool Published, string PublishDecision)
{
    /// <summary>Report of the corrections that the run included; null when it included none.</summary>
    public IngestReport? Corrections { get; init; }
}
