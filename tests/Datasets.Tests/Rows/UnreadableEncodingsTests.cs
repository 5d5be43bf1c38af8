using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Tests.Rows;

/// <summary>
/// Encodings that Parquet.Net 6.1 does not decode (<c>docs/parquet.md</c>): their rows say which column and page and what to do, and
/// everything else is read.
/// </summary>
public sealed class UnreadableEncodingsTests
{
    private static readonly string[] Categories = ["coat", "dress", "shirt"];

    [Fact]
    public Task Lists_in_data_pages_of_version_2() =>
        CheckAsync("arrow-v2-plain-zstd.parquet", "category", "tags",
            "tags/list/item: page 0 (data, version 2, PLAIN) cannot be decoded: ", 0, 1);

    [Fact]
    public Task Lists_of_structs_in_data_pages_of_version_2() =>
        CheckAsync("arrow-v2-plain-zstd.parquet", "images", "category",
            "images/list/item/bytes: page 0 (data, version 2, PLAIN) cannot be decoded: ", 0, 1);

    [Fact]
    public Task Booleans_as_run_lengths_in_data_pages_of_version_1() =>
        CheckAsync("arrow-v1-delta-uncompressed.parquet", "category", "discounted", "discounted: page 0 (data): ", 0, 1);

    [Fact]
    public Task Booleans_as_run_lengths_in_data_pages_of_version_2() =>
        CheckAsync("hyparquet-limits.parquet", "category", "discounted", "discounted: page 0 (data, version 2): ", 0, 1);

    [Fact]
    public Task A_Snappy_page_of_version_2_that_has_no_values_and_no_bytes() =>
        CheckAsync("hyparquet-limits.parquet", "category", "late", "late: page 0 (data, version 2, PLAIN) cannot be decoded: ", 0);

    [Fact]
    public Task Split_bytes_of_binary() =>
        CheckAsync("hyparquet-limits.parquet", "binary", "category",
            "binary: page 0 (data, version 2, BYTE_STREAM_SPLIT) cannot be decoded: ", 0, 1);

    [Fact]
    public Task Split_bytes_of_half_floats() =>
        CheckAsync("hyparquet-limits.parquet", "category", "half",
            "half: page 0 (data, version 2, BYTE_STREAM_SPLIT) cannot be decoded: ", 0, 1);

    [Fact]
    public Task Split_bytes_of_decimals() =>
        CheckAsync("hyparquet-limits.parquet", "category", "decimal",
            "decimal: page 0 (data, version 2, BYTE_STREAM_SPLIT) cannot be decoded: ", 0, 1);

    [Fact]
    public async Task A_file_that_is_rewritten_as_the_message_says_is_read()
    {
        var arrow = RowReading.Fixture("rewritten-arrow.parquet");
        var rows = await RowReading.ReadAsync(arrow, new ColumnMapping { Image = "images", Title = "tags", Category = "discounted" });
        Assert.All(rows, row => Assert.Null(row.Fault));
        Assert.Equal(120, rows.Count);
        Assert.Equal(("tag 1.0", "false"), (rows[1].Title, rows[1].Category));
        Assert.Equal("bytes of 2", System.Text.Encoding.UTF8.GetString(rows[2].ImageBytes!.Value.Span));

        var hyparquet = RowReading.Fixture("rewritten-hyparquet.parquet");
        rows = await RowReading.ReadAsync(hyparquet, new ColumnMapping { Image = "category", Title = "late", Category = "discounted" });
        Assert.All(rows, row => Assert.Null(row.Fault));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => (i < 40 ? null : $"note {i}", i % 3 == 0 ? "true" : "false")),
            rows.Select(row => (row.Title, row.Category!)));
    }

    /// <param name="groups">The row groups that are lost.</param>
    private static async Task CheckAsync(string fixture, string image, string title, string place, params int[] groups)
    {
        var file = RowReading.Fixture(fixture);
        int first;
        await using (var parquet = await RowReading.OpenAsync(fixture)) first = (int)parquet.RowGroups[0].NumRows;

        var rows = await RowReading.ReadAsync(file, new ColumnMapping { Image = image, Title = title });
        Assert.All(rows.Index(), row =>
        {
            var group = row.Index < first ? 0 : 1;
            if (groups.Contains(group))
            {
                Assert.StartsWith($"row group {group}, column {place}", row.Item.Fault, StringComparison.Ordinal);
                Assert.EndsWith("COPY (FROM 'old.parquet') TO 'new.parquet'\"", row.Item.Fault, StringComparison.Ordinal);
            }
            else Assert.Equal((null, $"note {row.Index}"), (row.Item.Fault, row.Item.Title));
        });

        var others = await RowReading.ReadAsync(file, new ColumnMapping { Image = "category", Title = "category" });
        Assert.Equal(Enumerable.Range(0, rows.Count).Select(i => (1000L + i, (string?)null, (string?)Categories[i % 3])),
            others.Select(row => (row.Row, row.Fault, row.Title)));
    }
}
