using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>Status of a row.</summary>
public enum RowState
{
    /// <summary>The row's image is in blob storage.</summary>
    Stored,

    /// <summary>An earlier row has the same image, split, product and fields; the row is left out of the shards.</summary>
    Duplicate,

    /// <summary>The row is unusable; <see cref="ManifestRow.Reason"/> gives the reason.</summary>
    Rejected,
}

/// <summary>Reasons for rejecting a row or an uploaded image, as they appear in reports and prediction documents.</summary>
public static class Rejection
{
    /// <summary>The row has no image.</summary>
    public const string NoImage = "no-image";

    /// <summary>The URL is malformed, has a scheme other than http(s) or holds credentials, or redirects from https to http.</summary>
    public const string BadUrl = "bad-url";

    /// <summary>The URL resolves to a private or internal address (SSRF guard).</summary>
    public const string BlockedAddress = "blocked-address";

    /// <summary>The URL's host does not exist, or answered 404 or 410.</summary>
    public const string NotFound = "not-found";

    /// <summary>The publisher opts out of model training by the header <c>X-Robots-Tag</c>.</summary>
    public const string OptedOut = "opted-out";

    /// <summary>The download exceeded its time limits.</summary>
    public const string Timeout = "timeout";

    /// <summary>The download failed for another reason, retries included.</summary>
    public const string DownloadFailed = "download-failed";

    public const string TooLarge = "too-large";
    public const string Empty = "empty";

    /// <summary>The bytes are in no supported format.</summary>
    public const string NotAnImage = "not-an-image";

    /// <summary>The decoder ran out of data before the image was complete.</summary>
    public const string Truncated = "truncated";

    /// <summary>The image cannot be decoded for a reason other than missing data.</summary>
    public const string Corrupt = "corrupt";

    public const string TooManyPixels = "too-many-pixels";
    public const string BadShape = "bad-shape";
    public const string NoLabel = "no-label";
    public const string BadPrice = "bad-price";

    /// <summary>A field of kind number holds something else, or a number below 0.</summary>
    public const string BadNumber = "bad-number";

    /// <summary>The row cannot be read: its file or a correction is damaged, or a correction has a value of another kind.</summary>
    public const string UnreadableRow = "unreadable-row";

    /// <summary>The image was changed or deleted after its correction.</summary>
    public const string Changed = "changed";

    /// <summary>All reasons.</summary>
    public static IReadOnlyList<string> All { get; } =
        [.. typeof(Rejection).GetFields().Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!)];

    /// <summary>The reasons that time can heal.</summary>
    public static IReadOnlyList<string> Passing { get; } = [Timeout, DownloadFailed, NotFound, OptedOut];
}

/// <summary>
/// Status of one dataset row: a line of a manifest and of the catalog. Duplicates and merged rows are found only after all manifests are
/// written: a duplicate is <see cref="RowState.Duplicate"/> in the catalog and <see cref="RowState.Stored"/> in its manifest, and only the
/// catalog has <see cref="MergedInto"/>.
/// </summary>
public sealed record ManifestRow : ILabels
{
    /// <summary>Index of the row in its split, from 0.</summary>
    public required long Row { get; init; }

    /// <summary>The dataset's own split.</summary>
    public required string SourceSplit { get; init; }

    /// <summary>The split that the row is used in, one of <see cref="Splits"/>.</summary>
    public required string Split { get; init; }

    public required RowState State { get; init; }

    /// <summary>One of <see cref="Rejection"/>; null unless rejected.</summary>
    public string? Reason { get; init; }

    /// <summary>
    /// Human-readable details of the rejection; of a stored row the images of its list that cannot be used, and why.
    /// </summary>
    public string? Detail { get; init; }

    /// <summary>SHA-256 of the image's bytes, lower-case hexadecimal.</summary>
    public string? Sha256 { get; init; }

    public long Bytes { get; init; }

    /// <summary>In pixels.</summary>
    public int Width { get; init; }

    /// <summary>In pixels.</summary>
    public int Height { get; init; }

    public string? ImageUrl { get; init; }

    /// <summary>Images of the product besides the first, which the members above describe; null for none.</summary>
    public IReadOnlyList<RowImage>? MoreImages { get; init; }

    /// <summary>All images of a stored row; none of another.</summary>
    [JsonIgnore]
    public IReadOnlyList<RowImage> Images =>
        Sha256 is null ? [] : [new RowImage(Sha256, Bytes, Width, Height, ImageUrl), .. MoreImages ?? []];

    /// <summary>Perceptual hash of the image, 64 bits in lower-case hexadecimal; null unless the image is stored.</summary>
    public string? PerceptualHash { get; init; }

    /// <summary>Value of the product column, which identifies the product; null when no such column is mapped.</summary>
    public string? Product { get; init; }

    /// <summary>
    /// Row whose sample has the images of this stored row, as <c>{source split}/{row}</c>; null when the row has a sample of its own.
    /// </summary>
    public string? MergedInto { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }

    /// <summary>Currency that the price's text names, as a code or symbol; null when it names none.</summary>
    public string? Currency { get; init; }

    public FieldValues? Fields { get; init; }
}

/// <summary>A further image of a row.</summary>
/// <param name="Sha256">SHA-256 of the image's bytes, lower-case hexadecimal.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
public sealed record RowImage(string Sha256, long Bytes, int Width, int Height, string? Url);

/// <summary>Names of the splits of training samples.</summary>
public static class Splits
{
    /// <summary>Samples that the model is trained on.</summary>
    public const string Train = "train";

    /// <summary>Samples that settings and checkpoints are chosen by.</summary>
    public const string Validation = "validation";

    /// <summary>Samples evaluated once, at the end of a run.</summary>
    public const string Test = "test";
}

/// <summary>An entry of a shard's index: everything that batch planning needs without decoding the image.</summary>
/// <param name="Width">Width in pixels, after EXIF orientation is applied.</param>
/// <param name="Height">Height in pixels, after EXIF orientation is applied.</param>
/// <param name="Offset">Offset of the encoded image in the shard, in bytes.</param>
/// <param name="Length">Length of the encoded image in bytes.</param>
public sealed record ShardSample(SampleLabels Labels, int Width, int Height, long Offset, int Length)
{
    /// <summary>Images of the sample besides the first; null for none.</summary>
    public IReadOnlyList<ShardImage>? MoreImages { get; init; }
}

/// <summary>A further image of a shard's sample; its members are those of <see cref="ShardSample"/>.</summary>
/// <param name="Sha256">SHA-256 of the original image's bytes.</param>
public sealed record ShardImage(string Sha256, int Width, int Height, long Offset, int Length);

/// <summary>The JSON entry of a WebDataset sample; the image entry has the same key.</summary>
/// <param name="Key">The sample's key: <c>{sourceSplit}-{row}</c>, with a number for the further samples of a row.</param>
/// <param name="Sha256">SHA-256 of the bytes of the original image, or of the first of several.</param>
public sealed record SampleLabels(string Key, string Sha256, string? Title, string? Category, double? Price) : ILabels
{
    public FieldValues? Fields { get; init; }
}

/// <summary>A training shard.</summary>
/// <param name="Blob">The shard's name in <see cref="Containers.Datasets"/>.</param>
/// <param name="Split">One of <see cref="Splits"/>.</param>
public sealed record ShardInfo(string Blob, string Split, int Samples, long Bytes);

/// <summary>Counts of rows by status; stored, duplicate and rejected rows add up to the rows read.</summary>
public sealed record RowCounts
{
    public long Rows { get; init; }

    public long Stored { get; init; }

    public long Duplicates { get; init; }

    public long Rejected { get; init; }

    /// <summary>Rejected rows by <see cref="Rejection"/>.</summary>
    public IReadOnlyDictionary<string, long> RejectedBy { get; init; } = new Dictionary<string, long>();

    /// <summary>Bytes of the stored images.</summary>
    public long Bytes { get; init; }

    public static RowCounts operator +(RowCounts a, RowCounts b) => new()
    {
        Rows = a.Rows + b.Rows,
        Stored = a.Stored + b.Stored,
        Duplicates = a.Duplicates + b.Duplicates,
        Rejected = a.Rejected + b.Rejected,
        Bytes = a.Bytes + b.Bytes,
        RejectedBy = a.RejectedBy.Concat(b.RejectedBy).GroupBy(p => p.Key).OrderBy(g => g.Key, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Sum(p => p.Value)),
    };
}

/// <summary>Histogram of a number.</summary>
/// <param name="Bins">Bins in ascending order; empty bins are left out.</param>
public sealed record Distribution(double Min, double Mean, double Max, IReadOnlyList<DistributionBin> Bins);

/// <param name="From">Lower bound, inclusive.</param>
/// <param name="To">Upper bound, exclusive.</param>
public sealed record DistributionBin(double From, double To, long Count);

/// <summary>Result of ingesting a dataset: <c>report.json</c>, and the input that training gets from ingestion.</summary>
public sealed record IngestReport
{
    public required string Repo { get; init; }

    public required string Commit { get; init; }

    public required string View { get; init; }

    /// <summary>The columns that were read.</summary>
    public required ColumnMapping Columns { get; init; }

    public required RowCounts Counts { get; init; }

    /// <summary>
    /// Samples by split. They are the stored rows, without <see cref="MergedRows"/>, or their images with <see cref="ImageUse.Samples"/>.
    /// </summary>
    public required IReadOnlyDictionary<string, long> Splits { get; init; }

    /// <summary>
    /// Stored rows whose images are in the sample of an earlier row of their product, with <see cref="ImageUse.Prompt"/>. That sample has
    /// the labels of the earlier row.
    /// </summary>
    public long MergedRows { get; init; }

    /// <summary>Stored rows by category, for the most frequent categories only.</summary>
    public required IReadOnlyDictionary<string, long> Categories { get; init; }

    /// <summary>Number of distinct categories, at most 10,000; a warning says when there are more.</summary>
    public int CategoryCount { get; init; }

    /// <summary>
    /// Number of parts that a large catalog is divided into, <c>catalog/part-00000.csv</c> and <c>.parquet</c> and so on; null when it is
    /// <c>catalog.csv</c> and <c>catalog.parquet</c>.
    /// </summary>
    public int? CatalogParts { get; init; }

    /// <summary>Prices of the usable samples; null when no sample has a price.</summary>
    public Distribution? Prices { get; init; }

    /// <summary>Values of the other fields of the usable samples, by name; null for none.</summary>
    public IReadOnlyDictionary<string, FieldSummary>? Fields { get; init; }

    /// <summary>The longer sides of the usable images, in pixels.</summary>
    public Distribution? LongerSides { get; init; }

    /// <summary>The sizes of the usable images' files, in bytes.</summary>
    public Distribution? FileSizes { get; init; }

    /// <summary>Defects of the data that spoil training although every row is usable; empty for none.</summary>
    public IReadOnlyList<QualityWarning>? Warnings { get; init; }

    /// <summary>The retry that made this view; null for a first ingestion.</summary>
    public RetriedRows? Retry { get; init; }

    /// <summary>Wall-clock seconds that the ingestion took, pauses included.</summary>
    public required double Seconds { get; init; }
}

/// <summary>Values of a field over the usable samples.</summary>
/// <param name="Samples">Number of samples that have the field.</param>
public sealed record FieldSummary(FieldKind Kind, string? Unit, long Samples)
{
    /// <summary>
    /// Samples by value, or by item of a list, for the most frequent values only; null for numbers. Values are told apart by their first
    /// 100 characters, and of more than 10,000 distinct ones the counts are lower bounds.
    /// </summary>
    public IReadOnlyDictionary<string, long>? Values { get; init; }

    /// <summary>Number of distinct values, of which at most 10,000 are counted; null for numbers.</summary>
    public int? ValueCount { get; init; }

    /// <summary>The numbers; null for other kinds.</summary>
    public Distribution? Numbers { get; init; }
}

/// <summary>A defect of a dataset that spoils training.</summary>
/// <param name="Kind">One of <see cref="QualityProblem"/>.</param>
/// <param name="Message">Sentence with the figures and the way out.</param>
/// <param name="Count">Number of rows, or of values, that the warning is about.</param>
public sealed record QualityWarning(string Kind, string Message, long Count)
{
    /// <summary>Some of the values or rows, as <c>{split}/{row}</c>; null for none.</summary>
    public IReadOnlyList<string>? Examples { get; init; }

    /// <summary>Some of the pairs of images that look alike; null for other kinds.</summary>
    public IReadOnlyList<NearDuplicate>? Pairs { get; init; }
}

/// <summary>Two images of different splits that look alike.</summary>
/// <param name="First">Row of the first image, <c>{source split}/{row}</c>.</param>
/// <param name="Second">Row of the second image.</param>
/// <param name="Distance">Number of bits in which the perceptual hashes differ.</param>
public sealed record NearDuplicate(string First, string FirstSplit, string FirstSha256, string Second, string SecondSplit,
    string SecondSha256, int Distance);

/// <summary>Kinds of <see cref="QualityWarning"/>.</summary>
public static class QualityProblem
{
    /// <summary>Images that look alike are in different splits, so that figures on the validation split are too good.</summary>
    public const string NearDuplicates = "near-duplicates";

    /// <summary>A category is far more frequent than others.</summary>
    public const string Imbalance = "imbalance";

    /// <summary>Prices are in different currencies.</summary>
    public const string MixedCurrencies = "mixed-currencies";

    /// <summary>Values of a category field appear once.</summary>
    public const string SingleLabels = "single-labels";

    /// <summary>Images are smaller than 100 pixels.</summary>
    public const string SmallImages = "small-images";

    /// <summary>A category field has more distinct values than are counted.</summary>
    public const string ManyValues = "many-values";
}

/// <summary>Body of <c>POST /api/datasets/{owner}/{name}/{commit}/{view}/retry</c>.</summary>
public sealed record RetryRowsRequest
{
    /// <summary>
    /// <see cref="Rejection"/>s whose rows are read again; when left out those that time can heal: <c>timeout</c>, <c>download-failed</c>,
    /// <c>not-found</c> and <c>opted-out</c>.
    /// </summary>
    public IReadOnlyList<string>? Reasons { get; init; }
}

/// <summary>Rows of an earlier view that were read again.</summary>
/// <param name="View">The earlier view.</param>
/// <param name="Reasons">The reasons whose rows were read again.</param>
/// <param name="Rows">Number of rows that were read again.</param>
/// <param name="Healed">Those of them that are usable now, by the reason of the earlier view.</param>
public sealed record RetriedRows(
    string View, IReadOnlyList<string> Reasons, long Rows, IReadOnlyDictionary<string, long> Healed);

/// <summary>Throughput of an ingestion in progress.</summary>
/// <param name="BytesPerSecond">Bytes of stored images per second.</param>
/// <param name="EtaSeconds">Estimated seconds until all rows are read; null when there is no estimate.</param>
public sealed record IngestRate(double RowsPerSecond, double ImagesPerSecond, double BytesPerSecond, double? EtaSeconds);

/// <summary>A dataset as it was ingested at a commit with certain settings.</summary>
/// <param name="Repo">Repository id, <c>owner/name</c>.</param>
/// <param name="View">Short hash of the settings.</param>
public sealed record DatasetView(string Repo, string Commit, string View, DateTimeOffset IngestedAt);

/// <summary>Ingested datasets, the last one first: the response to <c>GET /api/datasets</c>.</summary>
public sealed record DatasetViewList(IReadOnlyList<DatasetView> Datasets);

/// <summary>A page of a dataset's rows: the response to <c>GET /api/datasets/{owner}/{name}/{commit}/{view}/rows</c>.</summary>
/// <param name="Rows">Rows in the order of their splits and indices. A page may be short, even empty, although another follows.</param>
/// <param name="Continuation">Token that requests the next page; null on the last page.</param>
public sealed record RowPage(IReadOnlyList<ManifestRow> Rows, string? Continuation);
