namespace FunctionsPipeline.SampleData;

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
