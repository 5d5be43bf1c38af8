using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Tests.StandIns.Parquet;

/// <summary>Files written by other implementations: DuckDB (plain, and dictionaries with Snappy) and hyparquet-writer (data pages of version 2).</summary>
public sealed class FixtureTests
{
    private const int Rows = 60;

    private static readonly string[] Categories = ["coat", "dress", "shirt"];

    [Theory]
    [InlineData("duckdb-plain.parquet")]
    [InlineData("duckdb-snappy.parquet")]
    [InlineData("hyparquet-v2.parquet")]
    public async Task Flat_columns_of_other_writers_are_read(string file)
    {
        await using var reader = await ParquetReader.CreateAsync(PathOf(file));
        using var group = reader.OpenRowGroupReader(0);
        Assert.Equal(Rows, group.RowCount);
        Assert.Contains("huggingface", reader.CustomMetadata.Keys);

        Assert.Equal(Enumerable.Range(0, Rows).Select(i => (long?)i), await ReadAsync<long>(group, reader.Schema, "id"));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => i % 5 == 0 ? null : (double?)(i * 1.5)), await ReadAsync<double>(group, reader.Schema, "price"));
        // The package divides by zero where booleans are written as run lengths.
        if (Package.IsStandIn || file != "hyparquet-v2.parquet")
            Assert.Equal(Enumerable.Range(0, Rows).Select(i => (bool?)(i % 2 == 0)), await ReadAsync<bool>(group, reader.Schema, "discounted"));
        var categories = new string?[Rows];
        await group.ReadAsync(reader.Schema.FindDataField("category"), categories.AsMemory());
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => Categories[i % 3]), categories);
    }

    [Theory]
    [InlineData("duckdb-plain.parquet")]
    [InlineData("duckdb-snappy.parquet")]
    public async Task A_struct_with_nulls_on_both_levels_is_read(string file)
    {
        await using var reader = await ParquetReader.CreateAsync(PathOf(file));
        using var group = reader.OpenRowGroupReader(0);
        var bytes = reader.Schema.FindDataField(new FieldPath("image", "bytes"));
        var path = reader.Schema.FindDataField(new FieldPath("image", "path"));
        Assert.Equal("image/path", path.Path.ToString());
        Assert.Equal((2, typeof(ReadOnlyMemory<char>)), (path.MaxDefinitionLevel, path.ClrType));

        var images = new byte[]?[Rows];
        await group.ReadAsync(bytes, images.AsMemory());
        Assert.Equal(
            Enumerable.Range(0, Rows).Select(i => i % 10 == 9 ? null : $"bytes of {i}"),
            images.Select(image => image is null ? null : System.Text.Encoding.UTF8.GetString(image)));

        var paths = new ReadOnlyMemory<char>?[Rows];
        await group.ReadAsync<ReadOnlyMemory<char>>(path, paths.AsMemory());
        Assert.Equal(
            Enumerable.Range(0, Rows).Select(i => i % 10 == 9 || i % 4 == 0 ? null : $"images/{i}.jpg"), paths.Select(value => value?.ToString()));
    }

    [StandInFact("the package gives the value of a neighbour")]
    public async Task The_overload_that_the_package_misreads_refuses_instead()
    {
        await using var reader = await ParquetReader.CreateAsync(PathOf("duckdb-snappy.parquet"));
        using var group = reader.OpenRowGroupReader(0);
        var path = reader.Schema.FindDataField(new FieldPath("image", "path"));
        var exception = await Assert.ThrowsAsync<NotSupportedException>(
            async () => await group.ReadAsync(path, new string?[Rows].AsMemory()));
        Assert.Contains("image/path", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_of_other_widths_are_read()
    {
        await using var reader = await ParquetReader.CreateAsync(PathOf("duckdb-snappy.parquet"));
        using var group = reader.OpenRowGroupReader(0);
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => (int?)(i % 7)), await ReadAsync<int>(group, reader.Schema, "size"));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => (float?)(i / 4f)), await ReadAsync<float>(group, reader.Schema, "weight"));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => (decimal?)(i * 0.25m)), await ReadAsync<decimal>(group, reader.Schema, "exact"));
    }

    [Fact]
    public async Task Lists_do_not_stand_in_the_way_and_timestamps_are_read()
    {
        await using var reader = await ParquetReader.CreateAsync(PathOf("duckdb-snappy.parquet"));
        using var group = reader.OpenRowGroupReader(0);
        var tags = Assert.IsType<ListField>(reader.Schema.Fields.Single(field => field.Name == "tags"));
        Assert.Equal(1, tags.Item.MaxRepetitionLevel);
        Assert.Equal(new DateTime(2024, 1, 2, 3, 4, 5), (await ReadAsync<DateTime>(group, reader.Schema, "at"))[0]);
    }

    [StandInFact("the package reads headers byte by byte, by other methods of the stream")]
    public async Task Only_the_bytes_of_the_asked_column_and_the_footer_are_read()
    {
        var stream = new CountingStream(await File.ReadAllBytesAsync(PathOf("duckdb-plain.parquet")));
        await using var reader = await ParquetReader.CreateAsync(stream);
        var footer = stream.BytesRead;
        using var group = reader.OpenRowGroupReader(0);
        var id = reader.Schema.FindDataField("id");
        await ReadAsync<long>(group, reader.Schema, "id");
        Assert.Equal(group.GetMetadata(id)!.MetaData!.TotalCompressedSize, stream.BytesRead - footer);
    }

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Parquet", "Fixtures", file);

    private static async Task<T?[]> ReadAsync<T>(ParquetRowGroupReader group, ParquetSchema schema, string column)
        where T : struct
    {
        var values = new T?[group.RowCount];
        await group.ReadAsync<T>(schema.FindDataField(column), values.AsMemory());
        return values;
    }

    private sealed class CountingStream(byte[] data) : MemoryStream(data)
    {
        public long BytesRead { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await base.ReadAsync(buffer, cancellationToken);
            BytesRead += count;
            return count;
        }
    }
}
