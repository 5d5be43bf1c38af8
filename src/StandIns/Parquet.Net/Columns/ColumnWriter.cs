using System.Buffers.Binary;
using Parquet.Meta;
using Parquet.Schema;

namespace Parquet.Columns;

/// <summary>Writes a column chunk as one data page of version 1, PLAIN.</summary>
internal sealed class ColumnWriter<T>(DataField field, CompressionMethod compression, Dictionary<string, string>? keyValues)
    where T : struct
{
    public async Task<ColumnChunk> WriteAsync(
        PositionedStream output, ReadOnlyMemory<T> defined, int[] levels, CancellationToken cancellationToken)
    {
        var page = Page(defined.Span, levels);
        var packed = PageCompression.Compress(compression, page);
        var header = MetaWriter.Write(new PageHeader
        {
            Type = PageType.DATA_PAGE,
            UncompressedPageSize = page.Length,
            CompressedPageSize = packed.Length,
            NumValues = levels.Length,
            Encoding = Encoding.PLAIN,
        });
        var start = output.Position;
        await output.WriteAsync(header, cancellationToken).ConfigureAwait(false);
        await output.WriteAsync(packed, cancellationToken).ConfigureAwait(false);
        return new ColumnChunk
        {
            FileOffset = start,
            MetaData = new ColumnMetaData
            {
                Type = PhysicalTypes.Of(typeof(T)),
                Encodings = [Encoding.RLE, Encoding.PLAIN],
                PathInSchema = field.Path.ToList(),
                Codec = (CompressionCodec)compression,
                NumValues = levels.Length,
                TotalUncompressedSize = header.Length + page.Length,
                TotalCompressedSize = header.Length + packed.Length,
                KeyValueMetadata = keyValues?.Select(pair => new KeyValue { Key = pair.Key, Value = pair.Value }).ToList(),
                DataPageOffset = start,
                Statistics = new Statistics { NullCount = levels.Length - defined.Length },
            },
        };
    }

    private byte[] Page(ReadOnlySpan<T> defined, int[] levels)
    {
        using var page = new MemoryStream();
        if (field.MaxDefinitionLevel > 0)
        {
            var runs = RunLengths.Encode(levels, 32 - int.LeadingZeroCount(field.MaxDefinitionLevel));
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, runs.Length);
            page.Write(length);
            page.Write(runs);
        }
        PlainEncoder.Encode(defined, page);
        return page.ToArray();
    }
}
