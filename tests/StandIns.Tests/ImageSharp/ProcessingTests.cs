using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace FunctionsPipeline.Tests.StandIns.ImageSharp;

public sealed class ProcessingTests
{
    [Fact]
    public void Resizing_keeps_a_gradient_a_gradient()
    {
        using var image = SampleImages.Gradient(200, 100);
        using var expected = SampleImages.Gradient(50, 25);
        image.Mutate(context => context.Resize(50, 25));
        // Away from the edges, where the filter sees one side only.
        image.Mutate(context => context.Crop(new Rectangle(4, 4, 42, 17)));
        expected.Mutate(context => context.Crop(new Rectangle(4, 4, 42, 17)));
        Assert.InRange(SampleImages.Difference(image, expected), 0, 6);
    }

    [Fact]
    public void Resizing_a_constant_image_leaves_it_constant_with_every_filter()
    {
        foreach (var sampler in new[] { KnownResamplers.Bicubic, KnownResamplers.Box, KnownResamplers.Triangle, KnownResamplers.Lanczos3, KnownResamplers.NearestNeighbor })
        {
            foreach (var (width, height) in new[] { (7, 5), (61, 83) })
            {
                using var image = new Image<Rgb24>(31, 17, new Rgb24(10, 128, 250));
                image.Mutate(context => context.Resize(width, height, sampler));
                Assert.Equal(new Size(width, height), image.Size);
                for (var y = 0; y < height; y++)
                    for (var x = 0; x < width; x++)
                        Assert.Equal(new Rgb24(10, 128, 250), image[x, y]);
            }
        }
    }

    [Fact]
    public void The_bicubic_filter_weighs_like_its_formula()
    {
        // Doubling a step: the new pixels beside it lie a quarter of an old pixel away from the old ones.
        using var image = new Image<L8>(8, 1);
        for (var x = 4; x < 8; x++) image[x, 0] = new L8(128);
        image.Mutate(context => context.Resize(16, 1));
        double Weight(double x) => x <= 1 ? (((1.5 * x) - 2.5) * x * x) + 1 : (((((-0.5 * x) + 2.5) * x) - 4) * x) + 2;
        var left = 128 * (Weight(0.75) + Weight(1.75));
        var right = 128 * (Weight(0.25) + Weight(1.25));
        Assert.Equal((byte)Math.Max(0, Math.Round(left)), image[7, 0].PackedValue);
        Assert.Equal((byte)Math.Round(right), image[8, 0].PackedValue);
    }

    [Fact]
    public void A_missing_side_keeps_the_aspect_ratio_and_Max_fits_within()
    {
        using var image = SampleImages.Gradient(200, 100);
        using var byWidth = image.Clone(context => context.Resize(50, 0));
        using var within = image.Clone(context => context.Resize(new ResizeOptions { Mode = ResizeMode.Max, Size = new Size(80, 80) }));
        using var cut = image.Clone(context => context.Resize(new ResizeOptions { Mode = ResizeMode.Crop, Size = new Size(40, 40) }));
        Assert.Equal([new Size(50, 25), new Size(80, 40), new Size(40, 40)], [byWidth.Size, within.Size, cut.Size]);
        Assert.Equal(new Size(200, 100), image.Size);
    }

    [Fact]
    public void A_JPEG_can_be_decoded_straight_to_a_smaller_size()
    {
        using var small = Image.Load<Rgb24>(new DecoderOptions { TargetSize = new Size(100, 100) }, SampleImages.Jpeg(800, 600));
        using var expected = SampleImages.Gradient(100, 75);
        Assert.Equal(new Size(100, 75), small.Size);
        Assert.InRange(SampleImages.Difference(small, expected), 0, 10);
    }

    [Theory]
    [InlineData(ExifOrientationMode.TopLeft, 0, 0)]
    [InlineData(ExifOrientationMode.TopRight, 63, 0)]
    [InlineData(ExifOrientationMode.BottomRight, 63, 47)]
    [InlineData(ExifOrientationMode.BottomLeft, 0, 47)]
    [InlineData(ExifOrientationMode.LeftTop, 0, 0)]
    [InlineData(ExifOrientationMode.RightTop, 0, 47)]
    [InlineData(ExifOrientationMode.RightBottom, 63, 47)]
    [InlineData(ExifOrientationMode.LeftBottom, 63, 0)]
    public void AutoOrient_turns_a_picture_as_its_EXIF_says(ushort orientation, int x, int y)
    {
        using var stored = Image.Load<Rgb24>(SampleImages.Jpeg());
        using var image = Image.Load<Rgb24>(WithOrientation(SampleImages.Jpeg(), orientation));
        image.Mutate(context => context.AutoOrient());
        var turned = orientation >= ExifOrientationMode.LeftTop;
        Assert.Equal(turned ? new Size(48, 64) : new Size(64, 48), image.Size);
        Assert.Equal(stored[x, y], image[0, 0]);
        Assert.True(image.Metadata.ExifProfile!.TryGetValue(ExifTag.Orientation, out var value));
        Assert.Equal(ExifOrientationMode.TopLeft, value.Value);
    }

    [Fact]
    public void Memory_of_a_large_image_is_one_block_only_when_asked_for()
    {
        var contiguous = Configuration.Default.Clone();
        contiguous.PreferContiguousImageBuffers = true;
        using var small = new Image<Rgb24>(100, 100);
        using var large = new Image<Rgb24>(1500, 1000);
        using var asked = new Image<Rgb24>(contiguous, 1500, 1000);
        Assert.True(small.DangerousTryGetSinglePixelMemory(out var memory));
        Assert.Equal(100 * 100, memory.Length);
        Assert.False(large.DangerousTryGetSinglePixelMemory(out _));
        Assert.True(asked.DangerousTryGetSinglePixelMemory(out _));
    }

    [Fact]
    public void A_disposed_image_cannot_be_read()
    {
        var image = new Image<Rgb24>(4, 4);
        image.Dispose();
        Assert.Throws<ObjectDisposedException>(() => image[0, 0]);
    }

    private static byte[] WithOrientation(byte[] jpeg, ushort orientation)
    {
        byte[] tiff =
        [
            .. "MM\0*"u8, 0, 0, 0, 8,
            0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, (byte)(orientation >> 8), (byte)orientation, 0, 0, 0, 0, 0, 0,
        ];
        byte[] segment = [0xFF, 0xE1, 0, (byte)(tiff.Length + 8), .. "Exif\0\0"u8, .. tiff];
        return [.. jpeg[..2], .. segment, .. jpeg[2..]];
    }
}
