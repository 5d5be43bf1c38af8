using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class ParquetFooterTests
{
    private const int GroupRows = 7;
    private const int Groups = 40;

    private static readonly ColumnMapping Columns = new() { Image = "url", Title = "title" };

    [Theory]
    [InlineData(0, 280)]
    [InlineData(0, 3)]
    [InlineData(7, 7)]
    [InlineData(5, 20)]
    [InlineData(100, 180)]
    [InlineData(279, 1)]
    public async Task A_file_cut_to_the_row_groups_of_a_unit_has_the_same_rows(int start, int count)
    {
        const int before = 1000;
        using var file = await WriteAsync();
        var unit = new IngestUnit(0, "train", "0.parquet", FileStart: before, Start: before + start, Count: count);
        var split = new SplitRows(before + (Groups * GroupRows), before + (Groups * GroupRows));
        var expected = await ReadAsync(file, unit, split);
        Assert.Equal(Enumerable.Range(before + start, count).Select(row => ((long)row, (string?)$"title {row - before}")), expected);

        var footer = await ParquetFooter.ReadAsync(file, default);
        var (cut, cutUnit) = footer.Cut(file, unit);

        Assert.Equal(expected, await ReadAsync(cut, cutUnit, split));
        await using var parquet = await ParquetFile.OpenAsync(cut, default);
        Assert.Equal(((start + count - 1) / GroupRows) - (start / GroupRows) + 1, parquet.RowGroups.Count);
        Assert.Equal(start / GroupRows, cutUnit.FirstGroup);
    }

    [Fact]
    public async Task A_unit_beyond_the_end_of_the_file_is_refused()
    {
        using var file = await WriteAsync();
        var footer = await ParquetFooter.ReadAsync(file, default);
        var error = Assert.Throws<InvalidDataException>(() => footer.Cut(file, new IngestUnit(0, "train", "0.parquet", 0, 270, 11)));
        Assert.Contains("280 rows", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_footer_is_an_error_of_the_file()
    {
        using var file = await WriteAsync();
        var bytes = file.ToArray();
        var random = new Random(11);
        for (var round = 0; round < 300; round++)
        {
            var damaged = bytes.ToArray();
            for (var i = 0; i < 3; i++) damaged[random.Next(damaged.Length - 2000, damaged.Length)] ^= (byte)random.Next(1, 256);
            try
            {
                var footer = await ParquetFooter.ReadAsync(new MemoryStream(damaged), default);
                footer.Cut(new MemoryStream(damaged), new IngestUnit(0, "train", "0.parquet", 0, 100, 20));
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    private static async Task<List<(long Row, string? Title)>> ReadAsync(Stream file, IngestUnit unit, SplitRows split) =>
        [.. (await ParquetRows.ReadAsync(file, Columns, unit, split, 1, default).ToListAsync())
            .SelectMany(batch => batch).Select(row => (row.Row, row.Title))];

    private static async Task<MemoryStream> WriteAsync()
    {
        var (url, title) = (new DataField<string>("url"), new DataField<string>("title"));
        var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(url, title), file))
        {
            foreach (var rows in Enumerable.Range(0, Groups * GroupRows).Chunk(GroupRows))
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync(url, rows.Select(row => $"http://example.com/{row}").ToArray());
                await group.WriteAsync(title, rows.Select(row => $"title {row}").ToArray());
                group.CompleteValidate();
            }
        }
        return file;
    }
}
