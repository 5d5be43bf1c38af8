using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace FunctionsPipeline.Images.Tests;

public sealed class PerceptualHashTests
{
    [Fact]
    public void Copies_of_another_size_quality_or_format_are_alike()
    {
        foreach (var seed in Enumerable.Range(0, 20))
        {
            using var image = Draw(seed, 640, 480);
            var hash = HashOf(Jpeg(image, 95));
            using var half = image.Clone(context => context.Resize(320, 240));
            using var stretched = image.Clone(context => context.Resize(500, 700));
            byte[][] copies = [Jpeg(image, 40), Png(image), Jpeg(half, 80), Png(half), Png(stretched)];
            Assert.All(copies, copy => Assert.InRange(HashOf(copy).DistanceTo(hash), 0, PerceptualHash.LargestDistance));
        }
    }

    [Fact]
    public void Different_images_are_not_alike()
    {
        var hashes = Enumerable.Range(0, 60).Select(seed =>
        {
            using var image = Draw(seed, 320, 240);
            return HashOf(Png(image));
        }).ToList();

        Assert.All(hashes.Index(), hash => Assert.DoesNotContain(hashes.Skip(hash.Index + 1),
            other => other.DistanceTo(hash.Item) <= PerceptualHash.LargestDistance));
    }

    [Fact]
    public void An_image_that_is_stored_turned_has_the_hash_of_the_upright_one()
    {
        using var image = Draw(7, 640, 480);
        var hash = HashOf(Jpeg(image, 95));
        // What a camera stores for each orientation: the inverse of what is done to see it upright.
        var turns = new (ushort Orientation, RotateMode Rotate, FlipMode Flip)[]
        {
            (1, RotateMode.None, FlipMode.None), (2, RotateMode.None, FlipMode.Horizontal), (3, RotateMode.Rotate180, FlipMode.None),
            (4, RotateMode.None, FlipMode.Vertical), (5, RotateMode.Rotate270, FlipMode.Vertical), (6, RotateMode.Rotate270, FlipMode.None),
            (7, RotateMode.Rotate270, FlipMode.Horizontal), (8, RotateMode.Rotate90, FlipMode.None),
        };
        Assert.All(turns, turn =>
        {
            using var turned = image.Clone(context => context.RotateFlip(turn.Rotate, turn.Flip));
            turned.Metadata.ExifProfile = new ExifProfile();
            turned.Metadata.ExifProfile.SetValue(ExifTag.Orientation, turn.Orientation);
            var file = Jpeg(turned, 95);
            // The reader is the judge of what upright is.
            using var read = ImageReader.Read(file);
            Assert.Equal((640, 480), (read.Width, read.Height));
            Assert.InRange(HashOf(file).DistanceTo(HashOf(Png(read))), 0, 4);
            Assert.InRange(HashOf(file).DistanceTo(hash), 0, 4);
        });
    }

    [Fact]
    public void What_is_transparent_counts_as_white()
    {
        using var image = new Image<Rgba32>(64, 64, new Rgba32(0, 0, 0, 0));
        using var white = new Image<Rgba32>(64, 64, new Rgba32(255, 255, 255, 255));
        for (var y = 10; y < 40; y++)
            for (var x = 5; x < 30; x++) image[x, y] = white[x, y] = new Rgba32(20, 40, (byte)(x * 8), 255);

        Assert.Equal(HashOf(Png(white)), HashOf(Png(image)));
    }

    [Fact]
    public void An_image_of_a_pixel_has_a_hash() => Assert.Equal(HashOf(Png(new Image<Rgb24>(1, 1))), HashOf(Png(new Image<Rgb24>(1, 1))));

    [Fact]
    public void A_hash_is_read_as_it_is_written()
    {
        var hash = new PerceptualHash(0x00ab_cdef_0123_4567);
        Assert.Equal("00abcdef01234567", hash.ToString());
        Assert.Equal(hash, PerceptualHash.Parse(hash.ToString()));
        Assert.Equal(64, hash.DistanceTo(new PerceptualHash(~hash.Bits)));
    }

    /// <summary>Draws some discs.</summary>
    private static Image<Rgb24> Draw(int seed, int width, int height)
    {
        var random = new Random(seed);
        var spots = Enumerable.Range(0, 9)
            .Select(_ => (X: random.NextDouble(), Y: random.NextDouble(), Size: 0.05 + random.NextDouble() / 5, Light: random.NextDouble()))
            .ToArray();
        var image = new Image<Rgb24>(width, height);
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var light = 0.0;
                foreach (var spot in spots)
                {
                    var (dx, dy) = (((double)x / width) - spot.X, ((double)y / height) - spot.Y);
                    if ((dx * dx) + (dy * dy) < spot.Size * spot.Size) light += spot.Light;
                }
                var value = (byte)(255 * Math.Min(1, light / 2));
                image[x, y] = new Rgb24(value, (byte)(255 - value), value);
            }
        }
        return image;
    }

    private static PerceptualHash HashOf(byte[] file)
    {
        ImageReader.Verify(file, null, out var hash);
        return hash;
    }

    private static byte[] Jpeg(Image image, int quality)
    {
        using var file = new MemoryStream();
        image.SaveAsJpeg(file, new JpegEncoder { Quality = quality });
        return file.ToArray();
    }

    private static byte[] Png(Image image)
    {
        using var file = new MemoryStream();
        image.SaveAsPng(file);
        return file.ToArray();
    }
}
