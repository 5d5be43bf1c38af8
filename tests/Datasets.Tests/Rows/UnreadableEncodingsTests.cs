using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Tests.Rows;

/// <summary>Encodings that Parquet.Net 6.1 does not decode: their rows say which column and page, and everything else is read.</summary>
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
            if (groups.Contains(group)) Assert.StartsWith($"row group {group}, column {place}", row.Item.Fault, StringComparison.Ordinal);
            else Assert.Equal((null, $"note {row.Index}"), (row.Item.Fault, row.Item.Title));
        });

        var others = await RowReading.ReadAsync(file, new ColumnMapping { Image = "category", Title = "category" });
        Assert.Equal(Enumerable.Range(0, rows.Count).Select(i => (1000L + i, (string?)null, (string?)Categories[i % 3])),
            others.Select(row => (row.Row, row.Fault, row.Title)));
    }
}
