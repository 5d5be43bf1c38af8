using System.Formats.Tar;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Tests.FineTuning;

/// <summary>Writes WebDataset shards.</summary>
internal static class TarShard
{
    public static void Write(string path, IEnumerable<(string Name, byte[] Content)> members)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var tar = new TarWriter(File.Create(path));
        foreach (var (name, content) in members)
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
    }

    /// <summary>Samples of one colour each, which is also their category.</summary>
    public static void WriteColours(string path, int samples)
    {
        (Rgb24 Colour, string Category)[] kinds = [(new Rgb24(220, 20, 20), "Hats"), (new Rgb24(20, 20, 220), "Coats")];
        Write(path, Enumerable.Range(0, samples).SelectMany(i =>
        {
            var (colour, category) = kinds[i % kinds.Length];
            return new[] { ($"{i}.png", Picture(60, 60, colour)), ($"{i}.json", Json(new SampleLabels($"{i}", "00", null, category, null))) };
        }));
    }

    public static byte[] Picture(int width, int height, Rgb24 colour)
    {
        using var image = new Image<Rgb24>(width, height, colour);
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }

    public static byte[] Json(SampleLabels labels) => JsonSerializer.SerializeToUtf8Bytes(labels, PipelineJson.Compact);
}
