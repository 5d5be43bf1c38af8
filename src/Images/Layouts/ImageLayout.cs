namespace FunctionsPipeline.Images;

/// <summary>
/// What the structure of a file tells without its pixels being decoded. Decoders differ here: some fill what is missing of a picture and
/// say nothing, and a model must not learn from, or be asked about, half a picture.
/// </summary>
/// <param name="Length">Bytes up to the end that the file's own structure announces; null if the file ends before. What follows does not
/// matter, and no decoder gets to see it: some stumble over it.</param>
/// <param name="HasAlpha">Whether pixels may be transparent.</param>
/// <param name="Orientation">How the picture is turned.</param>
/// <param name="Frame">The first frame of a GIF, which has a size of its own.</param>
internal readonly record struct ImageLayout(
    int? Length, bool HasAlpha = false, Orientation Orientation = Orientation.TopLeft, GifFrame? Frame = null)
{
    public static ImageFormat? Recognise(ReadOnlySpan<byte> file)
    {
        if (file is [0xFF, 0xD8, 0xFF, ..]) return ImageFormat.Jpeg;
        if (file.StartsWith(PngLayout.Signature)) return ImageFormat.Png;
        if (file.Length >= 12 && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8)) return ImageFormat.Webp;
        if (file.StartsWith("GIF87a"u8) || file.StartsWith("GIF89a"u8)) return ImageFormat.Gif;
        return BmpLayout.Recognise(file) ? ImageFormat.Bmp : null;
    }

    public static ImageLayout Of(ReadOnlySpan<byte> file, ImageFormat format) => format switch
    {
        ImageFormat.Jpeg => JpegLayout.Of(file),
        ImageFormat.Png => PngLayout.Of(file),
        ImageFormat.Webp => WebpLayout.Of(file),
        ImageFormat.Gif => GifLayout.Of(file),
        _ => BmpLayout.Of(file),
    };
}
