namespace FunctionsPipeline.Contracts;

/// <summary>What happened to a row.</summary>
public enum RowState
{
    /// <summary>Its image is in blob storage.</summary>
    Stored,

    /// <summary>Its image is there already, from an earlier row with the same split, product, title, category and price; it is left out of the shards.</summary>
    Duplicate,

    /// <summary>It cannot be used; <see cref="ManifestRow.Reason"/> says why.</summary>
    Rejected,
}

/// <summary>Why a row or an uploaded image was rejected. The values are the words used in reports and prediction documents.</summary>
public static class Rejection
{
    /// <summary>The row has no image.</summary>
    public const string NoImage = "no-image";

    /// <summary>The image's address is none, or none that is fetched.</summary>
    public const string BadUrl = "bad-url";

    /// <summary>The address leads to a machine that datasets must not make this one talk to, such as one of its own network.</summary>
    public const string BlockedAddress = "blocked-address";

    /// <summary>There is no image at the address.</summary>
    public const string NotFound = "not-found";

    /// <summary>Whoever publishes the image does not want models to be trained on it.</summary>
    public const string OptedOut = "opted-out";

    /// <summary>The image did not arrive in the time there is.</summary>
    public const string Timeout = "timeout";

    /// <summary>The download failed otherwise, also when it was tried again.</summary>
    public const string DownloadFailed = "download-failed";

    public const string TooLarge = "too-large";
    public const string Empty = "empty";

    /// <summary>The bytes are of no format that is read.</summary>
    public const string NotAnImage = "not-an-image";

    /// <summary>The file ends before its image does, as far as its decoder can tell.</summary>
    public const string Truncated = "truncated";

    /// <summary>The image cannot be decoded otherwise.</summary>
    public const string Corrupt = "corrupt";

    public const string TooManyPixels = "too-many-pixels";
    public const string BadShape = "bad-shape";
    public const string NoLabel = "no-label";
    public const string BadPrice = "bad-price";

    /// <summary>The row cannot be read: the dataset's file is damaged there.</summary>
    public const string UnreadableRow = "unreadable-row";
}

/// <summary>
/// The fate of one dataset row: a line of a manifest, and of the catalog. That a row is a <see cref="RowState.Duplicate"/> is known only when
/// all manifests are there: it is in the catalog, and its manifest says <see cref="RowState.Stored"/>.
/// </summary>
public sealed record ManifestRow
{
    /// <summary>Index of the row in its split, from 0.</summary>
    public required long Row { get; init; }

    /// <summary>The dataset's own split.</summary>
    public required string SourceSplit { get; init; }

    /// <summary>One of <see cref="Splits"/>: where the row is used.</summary>
    public required string Split { get; init; }

    public required RowState State { get; init; }

    /// <summary>One of <see cref="Rejection"/> when rejected.</summary>
    public string? Reason { get; init; }

    /// <summary>What exactly went wrong, for a person.</summary>
    public string? Detail { get; init; }

    /// <summary>SHA-256 of the image's bytes, lower-case hexadecimal.</summary>
    public string? Sha256 { get; init; }

    public long Bytes { get; init; }

    /// <summary>Pixels.</summary>
    public int Width { get; init; }

    /// <summary>Pixels.</summary>
    public int Height { get; init; }

    public string? ImageUrl { get; init; }

    /// <summary>What tells the product from others, when that column is mapped.</summary>
    public string? Product { get; init; }

    public string? Title { get; init; }

    public string? Category { get; init; }

    public double? Price { get; init; }
}

/// <summary>What samples are used for.</summary>
public static class Splits
{
    /// <summary>What is learned.</summary>
    public const string Train = "train";

    /// <summary>What a run is judged by while settings are still chosen.</summary>
    public const string Validation = "validation";

    /// <summary>What is looked at once, at the end.</summary>
    public const string Test = "test";
}

/// <summary>A sample of a training shard, as the shard's index has it: all that planning needs without the image.</summary>
/// <param name="Width">Pixels of the picture as the model gets to see it: after its EXIF orientation.</param>
/// <param name="Height">Pixels, likewise.</param>
/// <param name="Offset">Where the encoded image begins in the shard, in bytes.</param>
/// <param name="Length">Bytes of the encoded image.</param>
public sealed record ShardSample(SampleLabels Labels, int Width, int Height, long Offset, int Length);

/// <summary>The JSON half of a WebDataset sample; the image is beside it under the same key.</summary>
/// <param name="Key">The sample's key: <c>{sourceSplit}-{row}</c>.</param>
/// <param name="Sha256">SHA-256 of the original image's bytes.</param>
public sealed record SampleLabels(string Key, string Sha256, string? Title, string? Category, double? Price);

/// <summary>A training shard.</summary>
/// <param name="Blob">Its name in <see cref="Containers.Datasets"/>.</param>
/// <param name="Split">One of <see cref="Splits"/>.</param>
public sealed record ShardInfo(string Blob, string Split, int Samples, long Bytes);

/// <summary>Counts of rows by their state; they add up to the rows read.</summary>
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

/// <summary>How often a number was in which range.</summary>
/// <param name="Bins">From the lowest to the highest; ranges that nothing was in are left out.</param>
public sealed record Distribution(double Min, double Mean, double Max, IReadOnlyList<DistributionBin> Bins);

/// <param name="From">Included.</param>
/// <param name="To">Not included.</param>
public sealed record DistributionBin(double From, double To, long Count);

/// <summary>What became of a dataset: <c>report.json</c>, and what ingestion hands to training.</summary>
public sealed record IngestReport
{
    public required string Repo { get; init; }

    public required string Commit { get; init; }

    public required string View { get; init; }

    /// <summary>The columns that were read.</summary>
    public required ColumnMapping Columns { get; init; }

    public required RowCounts Counts { get; init; }

    /// <summary>Usable samples by split.</summary>
    public required IReadOnlyDictionary<string, long> Splits { get; init; }

    /// <summary>Usable samples by category: the most frequent ones.</summary>
    public required IReadOnlyDictionary<string, long> Categories { get; init; }

    /// <summary>Different categories in all.</summary>
    public int CategoryCount { get; init; }

    /// <summary>Prices of the usable samples; null when they have none.</summary>
    public Distribution? Prices { get; init; }

    /// <summary>The longer sides of the usable images, in pixels.</summary>
    public Distribution? LongerSides { get; init; }

    /// <summary>The sizes of the usable images' files, in bytes.</summary>
    public Distribution? FileSizes { get; init; }

    /// <summary>Time from the beginning of the ingestion that wrote this to its end, pauses included.</summary>
    public required double Seconds { get; init; }
}

/// <summary>How fast a dataset is being ingested.</summary>
/// <param name="BytesPerSecond">Of stored images.</param>
/// <param name="EtaSeconds">Seconds until all rows are read, as far as one can tell.</param>
public sealed record IngestRate(double RowsPerSecond, double ImagesPerSecond, double BytesPerSecond, double? EtaSeconds);
