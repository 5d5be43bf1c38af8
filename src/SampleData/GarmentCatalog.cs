namespace FunctionsPipeline.SampleData;

/// <summary>
/// The synthetic catalog: row i depends on the seed and i alone, so that a longer catalog starts with the rows of a shorter one. Every 72
/// rows cover all combinations of kind, colour and pattern, and one row in 50 has a defect.
/// </summary>
public sealed class GarmentCatalog(int seed)
{
    private const int DefectEvery = 50;
    private static readonly RowDefect[] Defects = [.. Enum.GetValues<RowDefect>().Where(d => d != RowDefect.None)];

    public int Seed { get; } = seed;

    public CatalogRow this[int index]
    {
        get
        {
            var defect = index % DefectEvery == DefectEvery / 2 ? Defects[index / DefectEvery % Defects.Length] : RowDefect.None;
            var image = defect == RowDefect.Repeated ? index - 1 : index;
            return new CatalogRow(index, GarmentAt(image), image, defect);
        }
    }

    /// <summary>The row at an index, without a defect, for held-out images.</summary>
    public CatalogRow WithoutDefect(int index) => new(index, GarmentAt(index), index, RowDefect.None);

    /// <summary>Encodes the image of a row as JPEG.</summary>
    public byte[] Jpeg(CatalogRow row) => GarmentPainter.Jpeg(row.Garment, new Random(unchecked((Seed * 1_000_003) + row.ImageIndex)));

    private Garment GarmentAt(int index)
    {
        // Each block of 72 rows is a permutation of all garments, seeded by the catalog's seed and the block's number.
        var (block, place) = Math.DivRem(index, Garment.All.Count);
        var order = Enumerable.Range(0, Garment.All.Count).ToArray();
        // The prime keeps neighbouring seeds apart: they share a permutation only 7,919 blocks, or 570,168 rows, away.
        new Random(unchecked((Seed * 7919) + block)).Shuffle(order);
        return Garment.All[order[place]];
    }
}

/// <summary>A row of the catalog.</summary>
/// <param name="ImageIndex">Index of the row whose image is used; the previous row's when this row repeats it.</param>
public sealed record CatalogRow(int Index, Garment Garment, int ImageIndex, RowDefect Defect)
{
    public long ProductCode => 40_000_000L + Index;
}

/// <summary>Deliberate defects of catalog rows, modelled on those of real catalogs.</summary>
public enum RowDefect
{
    None,

    /// <summary>The image URL is the text <c>N.A.</c> instead of a URL.</summary>
    NoImageUrl,

    /// <summary>The image URL answers 404.</summary>
    MissingImage,

    /// <summary>The image is a truncated JPEG.</summary>
    TruncatedImage,

    /// <summary>The image URL answers with an HTML page.</summary>
    PageInsteadOfImage,

    /// <summary>The row has the same labels and the same image as the row before it.</summary>
    Repeated,
}

/// <summary>A product. Its title, category and price can all be read from its image; the price follows from kind and pattern.</summary>
public sealed record Garment(GarmentKind Kind, GarmentColour Colour, bool Checked)
{
    /// <summary>Every combination of kind, colour and pattern.</summary>
    public static IReadOnlyList<Garment> All { get; } =
    [
        .. from kind in Enum.GetValues<GarmentKind>()
           from colour in Enum.GetValues<GarmentColour>()
           from isChecked in new[] { false, true }
           select new Garment(kind, colour, isChecked),
    ];

    public string Title => Checked ? $"{Colour} Check {Kind}" : $"{Colour} {Kind}";

    public string Category => Kind switch
    {
        GarmentKind.Dress => "Dresses",
        GarmentKind.Trousers => "Trousers",
        _ => $"{Kind}s",
    };

    /// <summary>Full price in US dollars; a checked garment costs 40 % more than a plain one.</summary>
    public double Price => (Kind, Checked) switch
    {
        (GarmentKind.Coat, false) => 1200,
        (GarmentKind.Coat, true) => 1680,
        (GarmentKind.Dress, false) => 900,
        (GarmentKind.Dress, true) => 1260,
        (GarmentKind.Trousers, false) => 450,
        (GarmentKind.Trousers, true) => 630,
        (GarmentKind.Hat, false) => 250,
        (GarmentKind.Hat, true) => 350,
        (GarmentKind.Bag, false) => 1500,
        (GarmentKind.Bag, true) => 2100,
        (GarmentKind.Shoe, false) => 600,
        (GarmentKind.Shoe, true) => 840,
        _ => throw new InvalidOperationException($"{Kind} has no price"),
    };
}

/// <summary>Kinds of garment; each has its own silhouette.</summary>
public enum GarmentKind
{
    Coat,
    Dress,
    Trousers,
    Hat,
    Bag,
    Shoe,
}

/// <summary>Colours of garments.</summary>
public enum GarmentColour
{
    Red,
    Yellow,
    Green,
    Blue,
    Purple,
    Black,
}
