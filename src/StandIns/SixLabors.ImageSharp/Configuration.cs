using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Memory;

namespace SixLabors.ImageSharp;

/// <summary>Settings of decoding and of pixel buffers.</summary>
public sealed class Configuration
{
    public static Configuration Default { get; } = new();

    public MemoryAllocator MemoryAllocator { get; set; } = MemoryAllocator.Default;

    /// <summary>Whether a large image, too, must lie in one buffer (see <see cref="Image{TPixel}.DangerousTryGetSinglePixelMemory"/>).</summary>
    public bool PreferContiguousImageBuffers { get; set; }

    public int MaxDegreeOfParallelism { get; set; } = Environment.ProcessorCount;

    public IEnumerable<IImageFormat> ImageFormats { get; } =
        [PngFormat.Instance, JpegFormat.Instance, GifFormat.Instance, BmpFormat.Instance, WebpFormat.Instance];

    public Configuration Clone() => (Configuration)MemberwiseClone();
}
