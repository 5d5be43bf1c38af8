using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;

namespace SixLabors.ImageSharp;

/// <summary>An image in memory, its pixels row by row.</summary>
public sealed class Image<TPixel> : Image
    where TPixel : unmanaged, IPixel<TPixel>
{
    // The real allocator splits a larger image into blocks of this size.
    private const int ContiguousBytes = 4 << 20;

    private TPixel[]? pixels;

    public Image(int width, int height)
        : this(Configuration.Default, width, height)
    {
    }

    public Image(Configuration configuration, int width, int height)
        : this(configuration, Checked(configuration, width, height), width, height, new ImageMetadata()) => Array.Clear(Pixels);

    public Image(int width, int height, TPixel backgroundColor)
        : this(Configuration.Default, width, height, backgroundColor)
    {
    }

    public Image(Configuration configuration, int width, int height, TPixel backgroundColor)
        : this(configuration, Checked(configuration, width, height), width, height, new ImageMetadata()) =>
        Array.Fill(Pixels, backgroundColor);

    internal Image(Configuration configuration, TPixel[] pixels, int width, int height, ImageMetadata metadata)
        : base(configuration, metadata, new Size(width, height)) => this.pixels = pixels;

    internal TPixel[] Pixels => pixels ?? throw new ObjectDisposedException(GetType().Name);

    public TPixel this[int x, int y]
    {
        get => Row(y)[x];
        set => Row(y)[x] = value;
    }

    public Image<TPixel> Clone() => Clone(Configuration);

    public Image<TPixel> Clone(Configuration configuration) =>
        new(configuration, (TPixel[])Pixels.Clone(), Width, Height, Metadata.DeepClone());

    public override Image<TPixel2> CloneAs<TPixel2>(Configuration configuration)
    {
        var target = configuration.MemoryAllocator.Allocate<TPixel2>(Width, Height);
        Rgba32 pixel = default;
        for (var i = 0; i < target.Length; i++)
        {
            Pixels[i].ToRgba32(ref pixel);
            target[i].FromRgba32(pixel);
        }
        return new Image<TPixel2>(configuration, target, Width, Height, Metadata.DeepClone());
    }

    public void ProcessPixelRows(PixelAccessorAction<TPixel> processPixels) => processPixels(new PixelAccessor<TPixel>(this));

    /// <summary>Runs over the rows of two images of the same height.</summary>
    public void ProcessPixelRows<TPixel2>(Image<TPixel2> image2, PixelAccessorAction<TPixel, TPixel2> processPixels)
        where TPixel2 : unmanaged, IPixel<TPixel2> =>
        processPixels(new PixelAccessor<TPixel>(this), new PixelAccessor<TPixel2>(image2));

    public void CopyPixelDataTo(Span<TPixel> destination) => Pixels.AsSpan().CopyTo(destination);

    public void CopyPixelDataTo(Span<byte> destination) => MemoryMarshal.AsBytes(Pixels.AsSpan()).CopyTo(destination);

    /// <summary>The pixels as one block; false for an image over 4 MiB unless
    /// <see cref="Configuration.PreferContiguousImageBuffers"/> was set, as with the real allocator.</summary>
    public unsafe bool DangerousTryGetSinglePixelMemory(out Memory<TPixel> memory)
    {
        var contiguous = Configuration.PreferContiguousImageBuffers || (long)Width * Height * sizeof(TPixel) <= ContiguousBytes;
        memory = contiguous ? Pixels : default;
        return contiguous;
    }

    internal Span<TPixel> Row(int y)
    {
        if ((uint)y >= (uint)Height) throw new ArgumentOutOfRangeException(nameof(y), y, $"The image has {Height} rows.");
        return Pixels.AsSpan(y * Width, Width);
    }

    internal void Replace(TPixel[] newPixels, int width, int height)
    {
        pixels = newPixels;
        SetSize(new Size(width, height));
    }

    internal override void Accept(IImageEncoder encoder, Stream stream) => encoder.Encode(this, stream);

    internal override Task AcceptAsync(IImageEncoder encoder, Stream stream, CancellationToken cancellationToken) =>
        encoder.EncodeAsync(this, stream, cancellationToken);

    internal override void Mutate(Action<Processing.IImageProcessingContext> operation) =>
        operation(new Processing.ImageProcessingContext<TPixel>(this));

    public override string ToString() => $"Image<{typeof(TPixel).Name}>: {Width}x{Height}";

    protected override void Dispose(bool disposing) => pixels = null;

    private static TPixel[] Checked(Configuration configuration, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        return configuration.MemoryAllocator.Allocate<TPixel>(width, height);
    }
}
