using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.Images.Tests;

public sealed class ThumbnailTests
{
    [Theory]
    [InlineData(600, 300, 1, 256, 128)]
    [InlineData(8, 900, 1, 2, 256)]
    [InlineData(40, 30, 1, 40, 30)]
    // EXIF orientation 6 turns the image by 90 degrees.
    [InlineData(600, 300, 6, 128, 256)]
    public void An_image_keeps_its_shape_and_is_turned_upright(
        int width, int height, ushort orientation, int expectedWidth, int expectedHeight)
    {
        using var image = new Image<Rgb24>(width, height, new Rgb24(200, 0, 0));
        image.Metadata.ExifProfile = new ExifProfile();
        image.Metadata.ExifProfile.SetValue(ExifTag.Orientation, orientation);
        using var file = new MemoryStream();
        image.SaveAsJpeg(file);

        var thumbnail = Thumbnail.Of(file.ToArray(), 256);
        Assert.Equal((expectedWidth, expectedHeight), (thumbnail.Width, thumbnail.Height));
        using var read = ImageReader.Read(thumbnail.Content);
        Assert.Equal((expectedWidth, expectedHeight), (read.Width, read.Height));
        Assert.InRange(read[0, 0].R, 180, 220);
    }
}
