namespace Parquet;

/// <summary>What reader and writer share.</summary>
public class ParquetActor
{
    internal ParquetActor(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Stream = stream;
    }

    internal static ReadOnlySpan<byte> Magic => "PAR1"u8;

    protected Stream Stream { get; }
}
