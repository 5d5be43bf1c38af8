using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Tests.StandIns.Parquet;

public sealed class RoundTripTests
{
    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    public async Task Every_type_comes_back_as_it_was_written(CompressionMethod compression)
    {
        const int rows = 1000;
        var schema = new ParquetSchema(
            new DataField<long>("long"), new DataField<int?>("int"), new DataField<double?>("double"), new DataField<float>("float"),
            new DataField<bool?>("bool"), new DataField<short>("short"), new DataField<string>("text"), new DataField("required", typeof(string), isNullable: false),
            new StructField("image", new DataField<byte[]>("bytes"), new DataField<string>("path")));
        var fields = schema.GetDataFields();
        var random = new Random(3);
        var longs = Enumerable.Range(0, rows).Select(_ => random.NextInt64(long.MinValue, long.MaxValue)).ToArray();
        var ints = longs.Select(value => value % 3 == 0 ? null : (int?)value).ToArray();
        var doubles = longs.Select(value => value % 5 == 0 ? null : (double?)(value / 7d)).ToArray();
        var floats = longs.Select(value => (float)value).ToArray();
        var bools = longs.Select(value => value % 4 == 0 ? null : (bool?)(value % 2 == 0)).ToArray();
        var shorts = longs.Select(value => (short)value).ToArray();
        var texts = longs.Select(value => value % 6 == 0 ? null : $"prix {value} €").ToArray();
        var required = longs.Select(value => $"{value}").ToArray();
        var bytes = longs.Select(value => value % 9 == 0 ? null : BitConverter.GetBytes(value)).ToArray();

        var stream = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, stream, new ParquetOptions { CompressionMethod = compression }))
        {
            writer.CustomMetadata = new Dictionary<string, string> { ["huggingface"] = "{}" };
            for (var repeat = 0; repeat < 2; repeat++)
            {
                using var target = writer.CreateRowGroup();
                await target.WriteAsync<long>(fields[0], longs);
                await target.WriteAsync<int>(fields[1], ints);
                await target.WriteAsync<double>(fields[2], doubles);
                await target.WriteAsync<float>(fields[3], floats);
                await target.WriteAsync<bool>(fields[4], bools);
                await target.WriteAsync<short>(fields[5], shorts);
                await target.WriteAsync(fields[6], texts);
                await target.WriteAsync(fields[7], required);
                await target.WriteAsync(fields[8], bytes);
                await target.WriteAsync(fields[9], texts);
                target.CompleteValidate();
            }
        }

        await using var reader = await ParquetReader.CreateAsync(stream);
        Assert.Equal(2, reader.RowGroupCount);
        Assert.Equal("{}", reader.CustomMetadata["huggingface"]);
        Assert.Equal(fields, reader.Schema.GetDataFields());
        using var group = reader.OpenRowGroupReader(1);
        Assert.Equal(longs, await ReadAsync<long>(group, fields[0]));
        Assert.Equal(ints, await ReadNullableAsync<int>(group, fields[1]));
        Assert.Equal(doubles, await ReadNullableAsync<double>(group, fields[2]));
        Assert.Equal(floats, await ReadAsync<float>(group, fields[3]));
        Assert.Equal(bools, await ReadNullableAsync<bool>(group, fields[4]));
        Assert.Equal(shorts, await ReadAsync<short>(group, fields[5]));
        var strings = new string?[rows];
        await group.ReadAsync(fields[6], strings.AsMemory());
        Assert.Equal(texts, strings);
        await group.ReadAsync(fields[7], strings.AsMemory());
        Assert.Equal(required, strings);
        Assert.Equal(bytes, (await ReadNullableAsync<ReadOnlyMemory<byte>>(group, fields[8])).Select(value => value?.ToArray()));
        Assert.Equal(texts, (await ReadNullableAsync<ReadOnlyMemory<char>>(group, fields[9])).Select(value => value?.ToString()));
    }

    [StandInFact("the package does not compare the lengths of columns")]
    public async Task A_row_group_takes_its_columns_once_in_order_and_of_equal_length()
    {
        var schema = new ParquetSchema(new DataField<long>("a"), new DataField<long>("b"));
        var fields = schema.GetDataFields();
        await using var writer = await ParquetWriter.CreateAsync(schema, new MemoryStream());
        using var group = writer.CreateRowGroup();
        await Assert.ThrowsAsync<ArgumentException>(() => group.WriteAsync<long>(fields[1], new long[3]));
        await Assert.ThrowsAsync<ArgumentException>(() => group.WriteAsync<int>(fields[0], new int[3]));
        await group.WriteAsync<long>(fields[0], new long[3]);
        var missing = Assert.Throws<InvalidOperationException>(group.CompleteValidate);
        Assert.Contains("b", missing.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => group.WriteAsync<long>(fields[1], new long[2]));
        await group.WriteAsync<long>(fields[1], new long[3]);
        await Assert.ThrowsAsync<InvalidOperationException>(() => group.WriteAsync<long>(fields[1], new long[3]));
    }

    [Fact]
    public async Task Reading_asks_for_the_column_s_own_type_a_buffer_that_is_large_enough_and_room_for_nulls()
    {
        var schema = new ParquetSchema(new DataField<long?>("price"));
        var field = schema.GetDataFields()[0];
        var stream = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, stream))
        {
            using var target = writer.CreateRowGroup();
            await target.WriteAsync<long>(field, new long?[] { 1, null, 3 });
        }
        await using var reader = await ParquetReader.CreateAsync(stream);
        using var group = reader.OpenRowGroupReader(0);
        await Assert.ThrowsAsync<ArgumentException>(async () => await group.ReadAsync<int>(field, new int?[3].AsMemory()));
        await Assert.ThrowsAsync<ArgumentException>(async () => await group.ReadAsync<long>(field, new long?[2].AsMemory()));
        await Assert.ThrowsAsync<ArgumentException>(async () => await group.ReadAsync<long>(field, new long[3].AsMemory()));
        Assert.Equal([1, null, 3], await ReadNullableAsync<long>(group, field));
        var absent = await Assert.ThrowsAsync<ParquetException>(
            async () => await group.ReadAsync<long>(new ParquetSchema(new DataField<long?>("full_price")).GetDataFields()[0], new long?[3].AsMemory()));
        Assert.Contains("full_price", absent.Message, StringComparison.Ordinal);
    }

    private static async Task<T[]> ReadAsync<T>(ParquetRowGroupReader group, DataField field)
        where T : struct
    {
        var values = new T[group.RowCount];
        await group.ReadAsync<T>(field, values.AsMemory());
        return values;
    }

    private static async Task<T?[]> ReadNullableAsync<T>(ParquetRowGroupReader group, DataField field)
        where T : struct
    {
        var values = new T?[group.RowCount];
        await group.ReadAsync<T>(field, values.AsMemory());
        return values;
    }
}
