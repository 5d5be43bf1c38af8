using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class DamagedRowsTests
{
    private const int Group = 40;

    private static readonly ColumnMapping Columns = new() { Image = "imageurl", Category = "category", Price = "price" };
    private static readonly IngestUnit All = new(0, "train", "0.parquet", 0, 0, 2 * Group);

    [Theory]
    [InlineData("imageurl", 0.4, 0, "page 0 (data): its checksum is")]
    [InlineData("imageurl", 0.9, 0, "page 1 (data): its checksum is")]
    [InlineData("category", 0.3, 1, "page 0 (dictionary): its checksum is")]
    [InlineData("price", 0.9, 1, "page 1 (data, version 2): its checksum is")]
    public async Task A_checksum_that_is_wrong_loses_the_rows_of_its_group_only_and_names_column_and_page(
        string column, double place, int group, string what)
    {
        var file = RowReading.Fixture("checksums.parquet");
        await using (var parquet = await ParquetFile.OpenAsync(new MemoryStream(file), default))
        {
            var chunk = parquet.RowGroups[group].Columns.Single(c => c.MetaData!.PathInSchema[0] == column).MetaData!;
            var start = Math.Min(chunk.DataPageOffset, chunk.DictionaryPageOffset ?? long.MaxValue);
            file[start + (long)(chunk.TotalCompressedSize * place)] ^= 1;
        }
        var rows = await RowReading.ReadAsync(new MemoryStream(file), Columns, All);
        Assert.Equal(Enumerable.Range(0, 2 * Group), rows.Select(row => (int)row.Row));
        var (lost, kept) = (rows.Skip(group * Group).Take(Group), rows.Skip((1 - group) * Group).Take(Group));
        Assert.All(lost, row => Assert.StartsWith($"row group {group}, column {column}: {what}", row.Fault, StringComparison.Ordinal));
        Assert.All(kept, row =>
            Assert.Equal((null, $"https://example.com/{row.Row}", row.Row * 10.0), (row.Fault, row.ImageUrl, row.Price)));
    }

    [Fact]
    public async Task What_is_intact_has_no_faults()
    {
        var rows = await RowReading.ReadAsync(new MemoryStream(RowReading.Fixture("checksums.parquet")), Columns, All);
        Assert.All(rows, row => Assert.Null(row.Fault));
        Assert.Equal(["coat", "dress", "shirt"], rows.Take(3).Select(row => row.Category));
    }

    [Fact]
    public async Task A_page_that_cannot_be_decoded_is_named_too()
    {
        var file = RowReading.Fixture("arrow-v1-dictionary-gzip.parquet");
        int damaged;
        await using (var parquet = await ParquetFile.OpenAsync(new MemoryStream(file), default))
        {
            var chunk = parquet.RowGroups[0].Columns.Single(c => c.MetaData!.PathInSchema[0] == "title").MetaData!;
            // Behind the dictionary, which is page 0.
            damaged = (int)chunk.DataPageOffset + PageHeader.Read(file.AsSpan((int)chunk.DataPageOffset)).Length;
        }
        file.AsSpan(damaged, 10).Fill(0xFF);
        var rows = await RowReading.ReadAsync(new MemoryStream(file), new ColumnMapping { Image = "category", Title = "title" },
            All with { Count = 120 });
        Assert.StartsWith("row group 0, column title: page 1 (data, RLE_DICTIONARY) cannot be decoded: ", rows[0].Fault,
            StringComparison.Ordinal);
        Assert.Null(rows[80].Fault);
        Assert.Equal(120, rows.Count);
    }

    [Theory]
    [InlineData(0, "it has 0 bytes")]
    [InlineData(1000, "it ends in")]
    public async Task What_is_cut_short_is_no_file(int length, string part)
    {
        var file = RowReading.Fixture("checksums.parquet")[..length];
        var e = await Assert.ThrowsAsync<InvalidDataException>(() => RowReading.ReadAsync(new MemoryStream(file), Columns, All));
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_footer_with_a_wrong_length_or_content_is_named()
    {
        var file = RowReading.Fixture("checksums.parquet");
        file[^5] = 0x7F;
        var e = await Assert.ThrowsAsync<InvalidDataException>(() => RowReading.ReadAsync(new MemoryStream(file), Columns, All));
        Assert.Contains("footer is damaged", e.Message, StringComparison.Ordinal);
        file = RowReading.Fixture("checksums.parquet");
        file.AsSpan(file.Length - 200, 100).Fill(0xEE);
        e = await Assert.ThrowsAsync<InvalidDataException>(() => RowReading.ReadAsync(new MemoryStream(file), Columns, All));
        Assert.Contains("footer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_breaks_is_no_damage()
    {
        var file = RowReading.Fixture("checksums.parquet");
        for (var reads = 0; reads < 7; reads++)
        {
            var broken = new BreakingStream(file, reads);
            await Assert.ThrowsAsync<HubException>(() => RowReading.ReadAsync(broken, Columns, All));
        }
        Assert.Equal(80, (await RowReading.ReadAsync(new BreakingStream(file, 7), Columns, All)).Count);
    }

    [Fact]
    public async Task Cancellation_is_no_damage()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            RowReading.ReadAsync(new MemoryStream(RowReading.Fixture("checksums.parquet")), Columns, All,
                cancellationToken: cancelled.Token));
    }

    [Theory]
    [InlineData("arrow-v1-dictionary-snappy.parquet")]
    [InlineData("arrow-v1-delta-uncompressed.parquet")]
    [InlineData("arrow-v2-delta-zstd.parquet")]
    [InlineData("arrow-v2-delta-gzip.parquet")]
    [InlineData("arrow-v2-delta-brotli.parquet")]
    [InlineData("arrow-v1-dictionary-lz4raw.parquet")]
    public async Task Damage_anywhere_costs_rows_but_never_the_process(string fixture)
    {
        var (intact, random) = (RowReading.Fixture(fixture), new Random(7));
        var columns = new ColumnMapping { Image = "image", Title = "title", Category = "size", Price = "price", Product = "id" };
        var footer = BitConverter.ToInt32(intact.AsSpan()[^8..]);
        for (var round = 0; round < 120; round++)
        {
            var file = (byte[])intact.Clone();
            // Half of the damage is in the footer, which is small and decides the most.
            var (from, to) = round % 2 == 0 ? (4, file.Length - footer - 8) : (file.Length - footer - 8, file.Length);
            for (var i = 0; i < 1 + (round % 5); i++) file[random.Next(from, to)] = (byte)random.Next(256);
            var before = GC.GetTotalAllocatedBytes();
            try
            {
                var rows = await RowReading.ReadAsync(new MemoryStream(file), columns, All with { Count = 120 });
                Assert.Equal(Enumerable.Range(0, 120), rows.Select(row => (int)row.Row));
            }
            catch (Exception e) when (e is InvalidDataException or RequestException)
            {
                // The footer or its schema: the caller says which file.
            }
            Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 200 << 20);
        }
    }

    [Theory]
    [InlineData("arrow-v1-dictionary-snappy.parquet", "FFFFFFFF07")]
    [InlineData("arrow-v1-dictionary-zstd.parquet", "28B52FFDE0FFFFFF7F00000000")]
    public async Task A_page_that_claims_to_unpack_to_two_gigabytes_takes_no_memory_for_it(string fixture, string start)
    {
        var file = RowReading.Fixture(fixture);
        await using (var parquet = await ParquetFile.OpenAsync(new MemoryStream(file), default))
        {
            var chunk = parquet.RowGroups[0].Columns.Single(c => c.MetaData!.PathInSchema[0] == "title").MetaData!;
            var page = (int)chunk.DictionaryPageOffset!;
            Convert.FromHexString(start).CopyTo(file, page + PageHeader.Read(file.AsSpan(page)).Length);
        }
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var rows = await RowReading.ReadAsync(new MemoryStream(file),
            new ColumnMapping { Image = "category", Title = "title" }, All with { Count = 120 });
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 200 << 20);
        Assert.EndsWith(" bytes do not unpack to 2147483647", rows[0].Fault, StringComparison.Ordinal);
        Assert.Null(rows[80].Fault);
    }

    [Fact]
    public async Task A_footer_that_claims_two_billion_columns_takes_no_memory_for_them()
    {
        // A version, and the beginning of a list.
        byte[] file = [.. "PAR1"u8, 0x15, 0x02, 0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 9, 0, 0, 0, .. "PAR1"u8];
        var before = GC.GetTotalAllocatedBytes(precise: true);
        var e = await Assert.ThrowsAsync<InvalidDataException>(() => RowReading.ReadAsync(new MemoryStream(file), Columns, All));
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 200 << 20);
        Assert.Contains("footer is damaged", e.Message, StringComparison.Ordinal);
    }

    private sealed class BreakingStream(byte[] bytes, int reads) : MemoryStream(bytes)
    {
        private int _reads;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _reads++ < reads
                ? base.ReadAsync(buffer, cancellationToken)
                : throw new HubException(HubErrorKind.Unavailable, "the connection broke");
    }
}
