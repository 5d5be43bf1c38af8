using System.Buffers.Binary;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Rows;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets.Quality;

/// <summary>
/// Figures about the usable rows of a dataset, or of a part of it, from which <see cref="QualityWarnings"/> are made. Parts are merged by
/// <see cref="QualityCollector.Add(QualityFigures)"/>.
/// </summary>
public sealed record QualityFigures
{
    public static QualityFigures None { get; } = new();

    /// <summary>Number of images below <see cref="QualityWarnings.SmallSide"/> on a side.</summary>
    public long SmallImages { get; init; }

    /// <summary>Some of the rows with small images, as <c>{source split}/{row}</c>.</summary>
    public IReadOnlyList<string> SmallExamples { get; init; } = [];

    /// <summary>Rows by the currency of their price, where it is known.</summary>
    public IReadOnlyDictionary<string, long> Currencies { get; init; } = new Dictionary<string, long>();

    /// <summary>The images that are compared, at most <see cref="QualityCollector.MostImages"/>.</summary>
    public IReadOnlyList<HashedImages> Images { get; init; } = [];

    /// <summary>Number of images that are not compared, as there are too many.</summary>
    public long ImagesLeftOut { get; init; }
}

/// <summary>Perceptual hashes of the images of a split.</summary>
/// <param name="SourceSplit">The dataset's own split.</param>
/// <param name="Split">The split that the rows are used in.</param>
/// <param name="Entries">48 bytes an image: the hash and the row's index in its source split (8 bytes each, big-endian), and the SHA-256 of
/// the image.</param>
public sealed record HashedImages(string SourceSplit, string Split, byte[] Entries)
{
    internal const int EntryBytes = 2 * sizeof(ulong) + 32;

    internal int Count => Entries.Length / EntryBytes;

    internal ulong HashAt(int index) => BinaryPrimitives.ReadUInt64BigEndian(Entries.AsSpan(index * EntryBytes));

    internal string RowAt(int index) =>
        $"{SourceSplit}/{BinaryPrimitives.ReadInt64BigEndian(Entries.AsSpan((index * EntryBytes) + sizeof(ulong)))}";

    internal string Sha256At(int index) =>
        Convert.ToHexStringLower(Entries.AsSpan((index * EntryBytes) + (2 * sizeof(ulong)), 32));
}

/// <summary>Collects <see cref="QualityFigures"/> in bounded memory: about 50 MB for the most images that are compared.</summary>
internal sealed class QualityCollector
{
    public const int MostImages = 500_000;

    private const int MostExamples = 20;

    private readonly SortedDictionary<string, long> _currencies = new(StringComparer.Ordinal);
    private readonly Dictionary<(string SourceSplit, string Split), MemoryStream> _images = [];
    private readonly List<string> _smallExamples = [];
    private long _smallImages;
    private long _compared;
    private long _leftOut;

    public QualityFigures Result => new()
    {
        SmallImages = _smallImages,
        SmallExamples = [.. _smallExamples],
        Currencies = new Dictionary<string, long>(_currencies),
        Images = [.. _images.Select(of => new HashedImages(of.Key.SourceSplit, of.Key.Split, of.Value.ToArray()))],
        ImagesLeftOut = _leftOut,
    };

    /// <summary>Adds a usable row.</summary>
    public void Add(ManifestRow row)
    {
        if (Math.Min(row.Width, row.Height) < QualityWarnings.SmallSide) AddSmall(1, [$"{row.SourceSplit}/{row.Row}"]);
        if (PriceCurrency.Of(row) is { } currency) Add(currency, 1);
        if (row.PerceptualHash is not { } hash || row.Sha256 is not { } sha256) return;
        Span<byte> entry = stackalloc byte[HashedImages.EntryBytes];
        BinaryPrimitives.WriteUInt64BigEndian(entry, PerceptualHash.Parse(hash).Bits);
        BinaryPrimitives.WriteInt64BigEndian(entry[sizeof(ulong)..], row.Row);
        Convert.FromHexString(sha256, entry[(2 * sizeof(ulong))..], out _, out _);
        Add(row.SourceSplit, row.Split, entry);
    }

    /// <summary>Adds the figures of a part.</summary>
    public void Add(QualityFigures part)
    {
        AddSmall(part.SmallImages, part.SmallExamples);
        foreach (var (currency, rows) in part.Currencies) Add(currency, rows);
        foreach (var images in part.Images) Add(images.SourceSplit, images.Split, images.Entries);
        _leftOut += part.ImagesLeftOut;
    }

    private void AddSmall(long images, IReadOnlyList<string> examples)
    {
        _smallImages += images;
        _smallExamples.AddRange(examples.Take(MostExamples - _smallExamples.Count));
    }

    private void Add(string currency, long rows) => _currencies[currency] = _currencies.GetValueOrDefault(currency) + rows;

    private void Add(string sourceSplit, string split, ReadOnlySpan<byte> entries)
    {
        var images = entries.Length / HashedImages.EntryBytes;
        var taken = (int)Math.Min(images, MostImages - _compared);
        _compared += taken;
        _leftOut += images - taken;
        if (!_images.TryGetValue((sourceSplit, split), out var written)) _images[(sourceSplit, split)] = written = new MemoryStream();
        written.Write(entries[..(taken * HashedImages.EntryBytes)]);
    }
}
