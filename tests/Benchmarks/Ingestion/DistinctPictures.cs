namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Any number of JPEG files of which no two have the same bytes: a few drawings, and in each file a comment with its number. In a folder,
/// so that several processes have the same.
/// </summary>
internal sealed class DistinctPictures
{
    // A start of image and the marker of a comment with its length: these two bytes and a number of eight.
    private static readonly byte[] Start = [0xFF, 0xD8, 0xFF, 0xFE, 0, sizeof(ushort) + sizeof(long)];

    private readonly byte[][] _drawings;

    private DistinctPictures(byte[][] drawings) => _drawings = drawings;

    /// <summary>Draws into a folder.</summary>
    public static DistinctPictures Draw(string folder, int width, int height, int drawings)
    {
        Directory.CreateDirectory(folder);
        Parallel.For(0, drawings, seed => File.WriteAllBytes(Path.Combine(folder, $"{seed:D3}.jpg"), Photograph.Jpeg(width, height, seed)));
        return Open(folder);
    }

    /// <summary>Opens a folder that was drawn into.</summary>
    public static DistinctPictures Open(string folder) =>
        new([.. Directory.GetFiles(folder, "*.jpg").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)]);

    /// <summary>Bytes of a file, in the mean.</summary>
    public double MeanBytes => _drawings.Average(drawing => drawing.Length) + Start.Length - 2 + sizeof(long);

    /// <summary>A picture's file.</summary>
    public byte[] this[int number] => [.. Start, .. BitConverter.GetBytes((long)number), .. _drawings[number % _drawings.Length].AsSpan(2)];
}
