using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp;

/// <summary>An image in memory, of whatever pixel format; and the ways to read one.</summary>
public abstract partial class Image : IDisposable
{
    private Size size;

    internal Image(Configuration configuration, ImageMetadata metadata, Size size)
    {
        Configuration = configuration;
        Metadata = metadata;
        this.size = size;
    }

    public Configuration Configuration { get; }

    public int Width => size.Width;

    public int Height => size.Height;

    public Size Size => size;

    public Rectangle Bounds => new(0, 0, Width, Height);

    public ImageMetadata Metadata { get; }

    /// <summary>An image from pixels; <paramref name="data"/> holds at least width x height of them.</summary>
    public static Image<TPixel> LoadPixelData<TPixel>(ReadOnlySpan<TPixel> data, int width, int height)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        var image = new Image<TPixel>(width, height);
        if (data.Length < image.Pixels.Length)
            throw new ArgumentException($"{width} x {height} pixels are needed, {data.Length} are given.", nameof(data));
        data[..image.Pixels.Length].CopyTo(image.Pixels);
        return image;
    }

    /// <inheritdoc cref="LoadPixelData{TPixel}(ReadOnlySpan{TPixel}, int, int)"/>
    public static Image<TPixel> LoadPixelData<TPixel>(ReadOnlySpan<byte> data, int width, int height)
        where TPixel : unmanaged, IPixel<TPixel> => LoadPixelData(MemoryMarshal.Cast<byte, TPixel>(data), width, height);

    public Image<TPixel2> CloneAs<TPixel2>()
        where TPixel2 : unmanaged, IPixel<TPixel2> => CloneAs<TPixel2>(Configuration);

    public abstract Image<TPixel2> CloneAs<TPixel2>(Configuration configuration)
        where TPixel2 : unmanaged, IPixel<TPixel2>;

    public void Save(Stream stream, IImageEncoder encoder) => Accept(encoder, stream);

    public Task SaveAsync(Stream stream, IImageEncoder encoder, CancellationToken cancellationToken = default) =>
        AcceptAsync(encoder, stream, cancellationToken);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    internal abstract void Accept(IImageEncoder encoder, Stream stream);

    internal abstract Task AcceptAsync(IImageEncoder encoder, Stream stream, CancellationToken cancellationToken);

    internal abstract void Mutate(Action<Processing.IImageProcessingContext> operation);

    internal void SetSize(Size value) => size = value;

    protected abstract void Dispose(bool disposing);
}
