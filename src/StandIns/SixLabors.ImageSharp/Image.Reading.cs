using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp;

public abstract partial class Image
{
    /// <summary>The format of the bytes, from their first few.</summary>
    /// <exception cref="UnknownImageFormatException">They are of no known format.</exception>
    public static IImageFormat DetectFormat(ReadOnlySpan<byte> buffer) => FormatDetector.Detect(buffer);

    /// <inheritdoc cref="DetectFormat(ReadOnlySpan{byte})"/>
    public static IImageFormat DetectFormat(Stream stream)
    {
        var start = stream.CanSeek ? stream.Position : throw new NotSupportedException("The stream must be seekable.");
        var header = new byte[FormatDetector.HeaderSize];
        var length = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        stream.Position = start;
        return FormatDetector.Detect(header.AsSpan(0, length));
    }

    /// <summary>Size and format of an image, from its header alone; the body may be missing.</summary>
    /// <exception cref="UnknownImageFormatException">The bytes are of no known format.</exception>
    /// <exception cref="InvalidImageContentException">The header is damaged or cut short.</exception>
    public static ImageInfo Identify(ReadOnlySpan<byte> buffer) => Identify(DecoderOptions.Default, buffer);

    /// <inheritdoc cref="Identify(ReadOnlySpan{byte})"/>
    public static ImageInfo Identify(DecoderOptions options, ReadOnlySpan<byte> buffer) => HeaderReader.Read(buffer).ToImageInfo(options);

    /// <inheritdoc cref="Identify(ReadOnlySpan{byte})"/>
    public static ImageInfo Identify(Stream stream) => Identify(DecoderOptions.Default, stream);

    /// <inheritdoc cref="Identify(ReadOnlySpan{byte})"/>
    public static ImageInfo Identify(DecoderOptions options, Stream stream) => HeaderReader.Read(stream).ToImageInfo(options);

    /// <inheritdoc cref="Identify(ReadOnlySpan{byte})"/>
    public static ImageInfo Identify(string path)
    {
        using var stream = File.OpenRead(path);
        return Identify(stream);
    }

    /// <summary>Decodes an image.</summary>
    /// <exception cref="UnknownImageFormatException">The bytes are of no format that can be decoded.</exception>
    /// <exception cref="InvalidImageContentException">The image is damaged, cut short, or over the memory limit.</exception>
    public static Image<TPixel> Load<TPixel>(ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel> => Load<TPixel>(DecoderOptions.Default, data);

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Image<TPixel> Load<TPixel>(DecoderOptions options, ReadOnlySpan<byte> data)
        where TPixel : unmanaged, IPixel<TPixel> => Decoder.Decode<TPixel>(options, data);

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Image<TPixel> Load<TPixel>(Stream stream)
        where TPixel : unmanaged, IPixel<TPixel> => Load<TPixel>(DecoderOptions.Default, stream);

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Image<TPixel> Load<TPixel>(DecoderOptions options, Stream stream)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return Load<TPixel>(options, memory.GetBuffer().AsSpan(0, (int)memory.Length));
    }

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Image<TPixel> Load<TPixel>(string path)
        where TPixel : unmanaged, IPixel<TPixel> => Load<TPixel>(DecoderOptions.Default, path);

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Image<TPixel> Load<TPixel>(DecoderOptions options, string path)
        where TPixel : unmanaged, IPixel<TPixel> => Load<TPixel>(options, File.ReadAllBytes(path));

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static Task<Image<TPixel>> LoadAsync<TPixel>(Stream stream, CancellationToken cancellationToken = default)
        where TPixel : unmanaged, IPixel<TPixel> => LoadAsync<TPixel>(DecoderOptions.Default, stream, cancellationToken);

    /// <inheritdoc cref="Load{TPixel}(ReadOnlySpan{byte})"/>
    public static async Task<Image<TPixel>> LoadAsync<TPixel>(
        DecoderOptions options, Stream stream, CancellationToken cancellationToken = default)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        using var memory = new MemoryStream();
        await stream.CopyToAsync(memory, cancellationToken).ConfigureAwait(false);
        return Load<TPixel>(options, memory.GetBuffer().AsSpan(0, (int)memory.Length));
    }
}
