using System.Diagnostics;
using FunctionsPipeline.Contracts;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;
using Xunit.Abstractions;

namespace FunctionsPipeline.Images.Tests;

/// <summary>
/// Files with a few bits or a length changed, or cut off. <c>PIPELINE_MUTATIONS</c> sets how many of each format there are.
/// </summary>
[Collection(nameof(PeakMemory))]
public sealed class MutationTests(ITestOutputHelper output)
{
    private static readonly int Count = int.Parse(Environment.GetEnvironmentVariable("PIPELINE_MUTATIONS") ?? "200", provider: null);
    private static readonly ImageLimits Limits = new() { MaxPixels = 1_000_000 };
    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(2);

    // A pixel takes 7 bytes, and in a progressive JPEG 8 more; the rest is what the runtime takes meanwhile.
    private const int MostMegabytes = 48;

    public static TheoryData<ImageFormat> Formats => [.. Enum.GetValues<ImageFormat>()];

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_mutated_file_is_read_or_rejected_in_little_time_and_memory(ImageFormat format)
    {
        var files = Fixture.All.Select(fixture => fixture.Bytes()).Where(file => ImageReader.Identify(file).Format == format)
            .Concat(Noise(format)).ToList();
        var random = new Random(17);
        var (slowest, most, reasons) = (TimeSpan.Zero, 0L, new List<string>());
        for (var i = 0; i < Count; i++)
        {
            var file = Mutate(files[i % files.Count], random);
            var start = Stopwatch.GetTimestamp();
            most = Math.Max(most, PeakMemory.Of(() => reasons.Add(ReasonOf(() => ImageReader.Read(file, Limits).Dispose()))));
            var time = Stopwatch.GetElapsedTime(start);
            if (time > slowest) slowest = time;
            Assert.Equal((i, reasons[^1]), (i, ReasonOf(() => ImageReader.Verify(file, Limits))));
        }
        var counts = reasons.CountBy(reason => reason).OrderBy(count => count.Key).Select(count => $"{count.Key} {count.Value:N0}");
        output.WriteLine($"{format}: {Count:N0} files, slowest {slowest.TotalMilliseconds:0} ms, most {most / 1e6:0.0} MB, "
            + string.Join(", ", counts));
        Assert.InRange(slowest, TimeSpan.Zero, MostTime);
        Assert.InRange(most, 0, MostMegabytes * 1_000_000);
        Assert.Empty(new[] { "read", Rejection.Truncated, Rejection.Corrupt }.Except(reasons));
    }

    /// <summary>Larger files than the fixtures, whose data take longer to decode and have more to damage.</summary>
    private static IEnumerable<byte[]> Noise(ImageFormat format)
    {
        var random = new Random(5);
        using var image = new Image<Rgb24>(240, 180);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++)
                foreach (ref var pixel in rows.GetRowSpan(y)) pixel = new Rgb24((byte)y, (byte)random.Next(64), (byte)random.Next(256));
        });
        WebpFileFormatType[] types = format == ImageFormat.Webp ? [WebpFileFormatType.Lossless, WebpFileFormatType.Lossy] : [default];
        foreach (var type in types)
        {
            using var file = new MemoryStream();
            switch (format)
            {
                case ImageFormat.Jpeg: image.SaveAsJpeg(file); break;
                case ImageFormat.Png: image.SaveAsPng(file); break;
                case ImageFormat.Webp: image.SaveAsWebp(file, new WebpEncoder { FileFormat = type }); break;
                case ImageFormat.Gif: image.SaveAsGif(file); break;
                default: image.SaveAsBmp(file); break;
            }
            yield return file.ToArray();
        }
    }

    private static byte[] Mutate(byte[] whole, Random random)
    {
        var file = (byte[])whole.Clone();
        var kind = random.Next(3);
        // Half of the changes are made where headers and lengths are.
        int Position(int length) => random.Next(random.Next(2) == 0 ? Math.Min(64, length) : length);
        if (kind == 0)
            for (var flips = random.Next(1, 5); flips > 0; flips--) file[Position(file.Length)] ^= (byte)(1 << random.Next(8));
        if (kind == 1)
        {
            var bytes = random.Next(1, 5);
            file.AsSpan(Position(file.Length - bytes), bytes).Fill(random.Next(2) == 0 ? byte.MaxValue : (byte)random.Next(256));
        }
        if (kind == 2) file = file[..random.Next(1, file.Length)];
        // Checksums would let a decoder see little of what is changed.
        return random.Next(2) == 0 && ImageReader.Identify(whole).Format == ImageFormat.Png ? FileParts.WithChecksums(file) : file;
    }

    private static string ReasonOf(Action read)
    {
        try
        {
            read();
            return "read";
        }
        catch (UnreadableImageException e)
        {
            return e.Reason;
        }
    }
}
