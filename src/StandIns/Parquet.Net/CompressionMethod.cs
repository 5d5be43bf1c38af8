namespace Parquet;

/// <summary>How pages are compressed.</summary>
public enum CompressionMethod
{
    None = 0,
    Snappy = 1,
    Gzip = 2,
}
