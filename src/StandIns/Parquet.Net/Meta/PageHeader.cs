namespace Parquet.Meta;

/// <summary>What stands before a page (parquet.thrift), the fields of its kind flattened into it.</summary>
internal sealed class PageHeader
{
    public PageType Type { get; set; }

    /// <summary>Bytes of the page, levels included, after decompression.</summary>
    public int UncompressedPageSize { get; set; }

    public int CompressedPageSize { get; set; }

    /// <summary>CRC-32 of the page as it is in the file, when the writer gave one.</summary>
    public int? Crc { get; set; }

    public int NumValues { get; set; }

    public Encoding Encoding { get; set; }

    /// <summary>Version 2 only.</summary>
    public int NumNulls { get; set; }

    /// <summary>Version 2 only.</summary>
    public int DefinitionLevelsByteLength { get; set; }

    /// <summary>Version 2 only.</summary>
    public int RepetitionLevelsByteLength { get; set; }

    /// <summary>Version 2 only.</summary>
    public bool IsCompressed { get; set; } = true;
}
