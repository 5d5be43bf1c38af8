namespace Parquet;

/// <summary>How a file is read or written.</summary>
public class ParquetOptions
{
    public CompressionMethod CompressionMethod { get; set; } = CompressionMethod.Snappy;
}
