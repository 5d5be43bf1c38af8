using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Tests.Rows;

/// <summary>Reads rows of the files that other writers wrote; they are described by the scripts beside them.</summary>
internal static class RowReading
{
    public static byte[] Fixture(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Rows", "Fixtures", name));

    public static Task<ParquetFile> OpenAsync(string fixture) => ParquetFile.OpenAsync(new MemoryStream(Fixture(fixture)), default);

    /// <summary>All rows of a file, as a single unit that begins at row 1000 of its split.</summary>
    public static async Task<List<DatasetRow>> ReadAsync(byte[] file, ColumnMapping columns, int images = 1)
    {
        await using var parquet = await ParquetFile.OpenAsync(new MemoryStream(file), default);
        var all = new IngestUnit(0, "train", "0.parquet", 1000, 1000, parquet.RowCount);
        return await ReadAsync(new MemoryStream(file), columns, all, images: images);
    }

    public static async Task<List<DatasetRow>> ReadAsync(
        Stream file, ColumnMapping columns, IngestUnit unit, SplitRows? split = null, int images = 1,
        CancellationToken cancellationToken = default)
    {
        var rows = new List<DatasetRow>();
        var all = split ?? new SplitRows(5000, 5000);
        await foreach (var batch in ParquetRows.ReadAsync(file, columns, unit, all, images, cancellationToken)) rows.AddRange(batch);
        return rows;
    }
}
