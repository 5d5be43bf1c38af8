using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Encoded images whose left half is red and whose right half is blue.</summary>
internal static class TestImages
{
    public static byte[] Png(int width, int height)
    {
        using var image = Draw(width, height);
        using var bytes = new MemoryStream();
        image.SaveAsPng(bytes);
        return bytes.ToArray();
    }

    /// <param name="orientation">EXIF orientation; none when left out.</param>
    public static byte[] Jpeg(int width, int height, ushort? orientation = null)
    {
        using var image = Draw(width, height);
        if (orientation is { } turned)
        {
            image.Metadata.ExifProfile = new ExifProfile();
            image.Metadata.ExifProfile.SetValue(ExifTag.Orientation, turned);
        }
        using var bytes = new MemoryStream();
        image.SaveAsJpeg(bytes);
        return bytes.ToArray();
    }

    private static Image<Rgb24> Draw(int width, int height)
    {
        var image = new Image<Rgb24>(width, height);
        image.ProcessPixelRows(rows =>
        {
            for (var y = 0; y < rows.Height; y++)
                for (var x = 0; x < rows.Width; x++) rows.GetRowSpan(y)[x] = x < width / 2 ? new Rgb24(255, 0, 0) : new Rgb24(0, 0, 255);
        });
        return image;
    }
}
