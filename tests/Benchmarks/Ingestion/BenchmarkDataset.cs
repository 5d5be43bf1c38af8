using FunctionsPipeline.Contracts;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.Benchmarks;

/// <summary>A dataset in one Parquet file, whose rows have a picture, a title, a category and a price.</summary>
/// <param name="Name">What the hub calls it: <c>benchmarks/{name}</c>.</param>
internal sealed record BenchmarkDataset(string Name, ImageKind Kind, int Rows)
{
    // As the Hub writes them.
    private int GroupRows => Kind == ImageKind.Url ? 1000 : 100;

    /// <summary>What is asked of the ingestion.</summary>
    public DatasetRequest Request => new()
    {
        Repo = $"benchmarks/{Name}",
        Columns = new ColumnMapping { Image = "image", Title = "title", Category = "category", Price = "price" },
    };

    /// <summary>Writes the file into a hub's folder.</summary>
    /// <param name="pictures">The picture of each row.</param>
    /// <param name="hub">Where the hub will be.</param>
    public async Task WriteAsync(string folder, DistinctPictures pictures, Uri hub)
    {
        var (bytes, name) = (new DataField<byte[]>("bytes"), new DataField<string>("path"));
        var url = new DataField<string>("image");
        var (title, category, price) = (new DataField<string>("title"), new DataField<string>("category"), new DataField<double>("price", true));
        Field image = Kind == ImageKind.Url ? url : new StructField("image", bytes, name);
        await using var file = File.Create(Path.Combine(folder, $"{Name}.parquet"));
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(image, title, category, price), file,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        foreach (var rows in Enumerable.Range(0, Rows).Chunk(GroupRows))
        {
            using var group = writer.CreateRowGroup();
            if (Kind == ImageKind.Url) await group.WriteAsync(url, rows.Select(row => $"{new Uri(hub, BenchmarkHub.Picture(row))}").ToArray());
            else
            {
                await group.WriteAsync(bytes, rows.Select(row => pictures[row]).ToArray());
                await group.WriteAsync(name, rows.Select(row => $"{row}.jpg").ToArray());
            }
            await group.WriteAsync(title, rows.Select(row => $"Picture {row} of a product with a name as long as titles are").ToArray());
            await group.WriteAsync(category, rows.Select(row => $"category {row % 40}").ToArray());
            await group.WriteAsync<double>(price, rows.Select(row => (double?)(row % 1000)).ToArray());
            group.CompleteValidate();
        }
    }
}
