using System.Text;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.SampleData;

/// <summary>
/// Serves an image folder as a dataset repository with embedded images and ClassLabel labels, as the Hub converts such folders.
/// </summary>
public static class ImageFolderDataset
{
    public const string Config = "default";
    private const int RowsPerGroup = 100;

    /// <param name="id">Repository id.</param>
    /// <param name="images">The image folder.</param>
    /// <param name="folder">Folder that Parquet files are written to, one per split.</param>
    public static HubRepository Create(string id, ImageFolder images, string folder)
    {
        var content = Fingerprint(images);
        var card = HubFile.Written("README.md", Path.Combine(folder, "README.md"), stream => stream.WriteAsync(Encoding.UTF8.GetBytes(
            $"# {id}\n\n{images.Pictures.Count} pictures with {images.Labels.Count} labels.\n")).AsTask());
        var splits = images.Pictures.GroupBy(p => p.Split)
            .ToDictionary(g => g.Key, g => (Path: $"{Config}/{g.Key}/0000.parquet", Pictures: g.ToArray()));
        var files = splits.Values
            .Select(s => HubFile.Written(s.Path, Path.Combine(folder, s.Path), stream => WriteAsync(images, s.Pictures, stream))).ToList();
        return new HubRepository("datasets", id, new Dictionary<string, HubSnapshot>
        {
            [HubRepository.Main] = new(HubRepository.CommitOf(content), [card]),
            [HubRepository.ConvertedParquet] = new(HubRepository.CommitOf(content, "parquet"), files),
        })
        {
            Parquet = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>
            {
                [Config] = splits.ToDictionary(s => s.Key, s => (IReadOnlyList<string>)[s.Value.Path]),
            },
        };
    }

    // Hashes paths, sizes and modification times instead of contents, so that starting a hub does not read every image.
    private static string Fingerprint(ImageFolder images) => string.Join('\n', images.Pictures.Select(p =>
    {
        var file = new FileInfo(images.FullPath(p));
        return $"{p.Path} {file.Length} {file.LastWriteTimeUtc.Ticks}";
    }).Prepend("image folder 1"));

    private static async Task WriteAsync(ImageFolder images, FolderPicture[] pictures, Stream stream)
    {
        var (bytes, name, label) = (new DataField<byte[]>("bytes"), new DataField<string>("path"), new DataField<long>("label", true));
        var schema = new ParquetSchema(new StructField("image", bytes, name), label);
        await using var writer = await ParquetWriter.CreateAsync(schema, stream,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        writer.CustomMetadata = new Dictionary<string, string> { ["huggingface"] = Features(images.Labels) };
        var codes = images.Labels.Index().ToDictionary(p => p.Item, p => (long?)p.Index);
        foreach (var group in pictures.Chunk(RowsPerGroup))
        {
            using var rowGroup = writer.CreateRowGroup();
            await rowGroup.WriteAsync(bytes, group.Select(p => File.ReadAllBytes(images.FullPath(p))).ToArray());
            await rowGroup.WriteAsync(name, group.Select(p => Path.GetFileName(p.Path)).ToArray());
            await rowGroup.WriteAsync<long>(label, group.Select(p => codes[p.Label]).ToArray());
            rowGroup.CompleteValidate();
        }
    }

    private static string Features(IReadOnlyList<string> labels) => JsonSerializer.Serialize(new
    {
        info = new { features = new { image = new { _type = "Image" }, label = new { names = labels, _type = "ClassLabel" } } },
    });
}
