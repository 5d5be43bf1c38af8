namespace FunctionsPipeline.SampleData;

/// <summary>What is deliberately wrong with a catalog row, as it is with some rows of any real catalog.</summary>
public enum RowDefect
{
    None,

    /// <summary>The image URL is the words <c>N.A.</c></summary>
    NoImageUrl,

    /// <summary>The image URL leads to a 404.</summary>
    MissingImage,

    /// <summary>The image is a JPEG that was cut off.</summary>
    TruncatedImage,

    /// <summary>The image is a web page that says that there is none.</summary>
    PageInsteadOfImage,

    /// <summary>The row says the same as the row before it, and has the same image.</summary>
    Repeated,
}

/// <summary>A row of the catalog.</summary>
/// <param name="Picture">Index of the row that the picture was drawn for; another row's when this one repeats it.</param>
public sealed record CatalogRow(int Index, Garment Garment, int Picture, RowDefect Defect)
{
    public long ProductCode => 40_000_000L + Index;
}

/// <summary>
/// The synthetic catalog: row i depends on the seed and i alone, so the first rows are the same however many there are. Every 72 rows cover
/// all combinations of kind, colour and pattern, and one row in 50 has a defect.
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
            var picture = defect == RowDefect.Repeated ? index - 1 : index;
            return new CatalogRow(index, GarmentAt(picture), picture, defect);
        }
    }

    /// <summary>A product that is sound whatever its index, for pictures that are held back.</summary>
    public CatalogRow WithoutDefect(int index) => new(index, GarmentAt(index), index, RowDefect.None);

    /// <summary>The picture of a row as a JPEG file.</summary>
    public byte[] Jpeg(CatalogRow row) => GarmentPainter.Jpeg(row.Garment, new Random(unchecked((Seed * 1_000_003) + row.Picture)));

    private Garment GarmentAt(int index)
    {
        var (block, place) = Math.DivRem(index, Garment.All.Count);
        var order = Enumerable.Range(0, Garment.All.Count).ToArray();
        new Random(unchecked((Seed * 7919) + block)).Shuffle(order);
        return Garment.All[order[place]];
    }
}
