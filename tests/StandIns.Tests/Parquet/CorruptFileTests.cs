using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Tests.StandIns.Parquet;

public sealed class CorruptFileTests
{
    [Fact]
    public async Task What_is_no_Parquet_file_is_an_IOException()
    {
        await Assert.ThrowsAsync<IOException>(() => ParquetReader.CreateAsync(new MemoryStream()));
        await Assert.ThrowsAsync<IOException>(() => ParquetReader.CreateAsync(new MemoryStream("an error page, not a data set"u8.ToArray())));
    }

    [Fact]
    public async Task A_file_cut_short_is_an_IOException()
    {
        var data = Fixture("duckdb-snappy.parquet");
        await Assert.ThrowsAsync<IOException>(() => ParquetReader.CreateAsync(new MemoryStream(data[..(data.Length / 2)])));
    }

    [StandInFact("the package lets through what its decoders throw")]
    public async Task A_damaged_page_is_an_exception_that_names_the_column()
    {
        var data = Fixture("duckdb-snappy.parquet");
        await using var intact = await ParquetReader.CreateAsync(new MemoryStream(data));
        var field = intact.Schema.FindDataField("category");
        var column = intact.OpenRowGroupReader(0).GetMetadata(field)!.MetaData!;
        var start = (int)Math.Min(column.DictionaryPageOffset ?? long.MaxValue, column.DataPageOffset);
        data.AsSpan(start, (int)column.TotalCompressedSize).Fill(0x15);
        await using var reader = await ParquetReader.CreateAsync(new MemoryStream(data));
        var exception = await Assert.ThrowsAsync<ParquetException>(
            async () => await reader.OpenRowGroupReader(0).ReadAsync(field, new string?[60].AsMemory()));
        Assert.Contains("category", exception.Message, StringComparison.Ordinal);
    }

    [StandInTheory("the package lets through what its decoders throw")]
    [InlineData("duckdb-plain.parquet")]
    [InlineData("duckdb-snappy.parquet")]
    [InlineData("hyparquet-v2.parquet")]
    [InlineData("arrow-v1-delta-uncompressed.parquet")]
    [InlineData("arrow-v2-delta-brotli.parquet")]
    [InlineData("arrow-v2-delta-zstd.parquet")]
    [InlineData("arrow-v2-delta-lz4raw.parquet")]
    public async Task Damaged_bytes_never_do_more_than_throw_and_never_take_much_memory(string file)
    {
        var intact = Fixture(file);
        var random = new Random(5);
        for (var round = 0; round < 400; round++)
        {
            var data = (byte[])intact.Clone();
            for (var i = 0; i < 3; i++) data[random.Next(4, data.Length - 8)] = (byte)random.Next(256);
            var before = GC.GetTotalAllocatedBytes();
            try
            {
                await ReadAllAsync(new MemoryStream(data));
            }
            catch (Exception exception) when (exception is ParquetException or IOException or ArgumentException or NotSupportedException)
            {
                // What a caller handles.
            }
            Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 200 << 20);
        }
    }

    private static async Task ReadAllAsync(Stream stream)
    {
        await using var reader = await ParquetReader.CreateAsync(stream);
        foreach (var group in reader.RowGroups)
        {
            var rows = (int)Math.Min(group.RowCount, 1000);
            foreach (var field in reader.Schema.GetDataFields().Where(field => field.MaxRepetitionLevel == 0)) await ReadAsync(group, field, rows);
        }
    }

    private static async Task ReadAsync(ParquetRowGroupReader group, DataField field, int rows)
    {
        if (field.ClrType == typeof(long)) await group.ReadAsync<long>(field, new long?[rows].AsMemory());
        if (field.ClrType == typeof(int)) await group.ReadAsync<int>(field, new int?[rows].AsMemory());
        if (field.ClrType == typeof(double)) await group.ReadAsync<double>(field, new double?[rows].AsMemory());
        if (field.ClrType == typeof(float)) await group.ReadAsync<float>(field, new float?[rows].AsMemory());
        if (field.ClrType == typeof(decimal)) await group.ReadAsync<decimal>(field, new decimal?[rows].AsMemory());
        if (field.ClrType == typeof(bool)) await group.ReadAsync<bool>(field, new bool?[rows].AsMemory());
        if (field.ClrType == typeof(ReadOnlyMemory<char>)) await group.ReadAsync(field, new string?[rows].AsMemory());
        if (field.ClrType == typeof(ReadOnlyMemory<byte>)) await group.ReadAsync(field, new byte[]?[rows].AsMemory());
    }

    private static byte[] Fixture(string file) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Parquet", "Fixtures", file));
}
