using FunctionsPipeline.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Reads the images of a recording with the decoder that reads uploads.</summary>
internal static class PictureFile
{
    /// <exception cref="InvalidDataException">The file is missing or not an image.</exception>
    public static Image<Rgb24> Load(string folder, string file)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
        try
        {
            return ImageReader.Read(File.ReadAllBytes(path));
        }
        catch (UnreadableImageException e)
        {
            throw new InvalidDataException($"'{path}' is no picture: {e.Message}", e);
        }
    }

    /// <summary>Copies the pixels row by row, as interleaved RGB bytes.</summary>
    public static byte[] Bytes(Image<Rgb24> image)
    {
        var rgb = new byte[image.Width * image.Height * 3];
        image.CopyPixelDataTo(rgb);
        return rgb;
    }
}
