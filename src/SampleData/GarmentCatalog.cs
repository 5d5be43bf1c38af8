namespace FunctionsPipeline.SampleData;

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

/// <summary>A row of the catalog.</summary>
/// <param name="Picture">Index of the row whose image is used; the previous row's when this row repeats it.</param>
public sealed record CatalogRow(int Index, Garment Garment, int Picture, RowDefect Defect)
{
    public long ProductCode => 40_000_000L + Index;
}

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
            var picture = defect == RowDefect.Repeated ? index - 1 : index;
            return new CatalogRow(index, GarmentAt(picture), picture, defect);
        }
    }

    /// <summary>The row at an index, without a defect, for held-out images.</summary>
    public CatalogRow WithoutDefect(int index) => new(index, GarmentAt(index), index, RowDefect.None);

    /// <summary>Encodes the image of a row as JPEG.</summary>
    public byte[] Jpeg(CatalogRow row) => GarmentPainter.Jpeg(row.Garment, new Random(unchecked((Seed * 1_000_003) + row.Picture)));

    private Garment GarmentAt(int index)
    {
        var (block, place) = Math.DivRem(index, Garment.All.Count);
        var order = Enumerable.Range(0, Garment.All.Count).ToArray();
        new Random(unchecked((Seed * 7919) + block)).Shuffle(order);
        return Garment.All[order[place]];
    }
}
