namespace FunctionsPipeline.LocalHost.Blobs;

/// <summary>How far a function is with a version of a blob.</summary>
internal enum BlobState
{
    /// <summary>Failed, and to be tried again.</summary>
    Waiting,
    Done,

    /// <summary>Failed as often as is allowed.</summary>
    Poison,
}

/// <summary>What is known of a function's work on a blob's version.</summary>
/// <param name="Tries">Tries so far.</param>
internal sealed record BlobReceipt(string Blob, string ETag, BlobState State, int Tries, DateTime NextTry);

/// <summary>Which versions (function + container + blob + ETag) were processed; the latest version of each blob is kept.</summary>
internal sealed class BlobReceipts(StateDatabase database)
{
    public Dictionary<string, BlobReceipt> Load(string function, string container) => database.Transaction(sql =>
        sql.Query("SELECT blob, etag, state, tries, next_try FROM blobs WHERE function = $0 AND container = $1",
            r => new BlobReceipt(r.GetString(0), r.GetString(1), Enum.Parse<BlobState>(r.GetString(2)), r.GetInt32(3), r.Time(4)),
            function, container))
        .ToDictionary(r => r.Blob);

    public void Save(string function, string container, BlobReceipt receipt, string? error, DateTime now) => database.Transaction(sql =>
        sql.Run("""
            INSERT OR REPLACE INTO blobs (function, container, blob, etag, state, tries, next_try, error, at)
            VALUES ($0, $1, $2, $3, $4, $5, $6, $7, $8)
            """, function, container, receipt.Blob, receipt.ETag, receipt.State, receipt.Tries, receipt.NextTry, error, now));
}
