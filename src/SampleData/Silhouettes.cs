using System.Numerics;

namespace FunctionsPipeline.SampleData;

/// <summary>Outlines of the garments: polygons in a unit square, y downwards.</summary>
internal static class Silhouettes
{
    /// <summary>Polygons filled with the garment's colour and pattern.</summary>
    public static IReadOnlyList<Vector2[]> Cloth(GarmentKind kind) => kind switch
    {
        GarmentKind.Coat =>
        [
            Polygon(.30, .08, .42, .05, .50, .15, .58, .05, .70, .08, .98, .60, .84, .68, .71, .42, .76, .96, .24, .96, .29, .42, .16, .68,
                .02, .60),
        ],
        GarmentKind.Dress =>
        [
            Polygon(.35, .04, .42, .04, .45, .20, .55, .20, .58, .04, .65, .04, .67, .34, .61, .44, .94, .96, .06, .96, .39, .44, .33, .34),
        ],
        GarmentKind.Trousers => [Polygon(.24, .04, .76, .04, .88, .96, .61, .96, .50, .34, .39, .96, .12, .96)],
        GarmentKind.Hat => [Arc(.50, .64, .29, .46, 0.5, 1), Arc(.50, .68, .48, .16, 0, 1)],
        GarmentKind.Bag => [Polygon(.10, .40, .90, .40, .97, .95, .03, .95), Ring(.50, .42, .30, .37, .19, .26)],
        GarmentKind.Shoe => [Polygon(.04, .22, .34, .18, .42, .42, .66, .54, .90, .60, .97, .72, .97, .80, .04, .80)],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Polygons filled with a contrasting tone: seams, buttons, a hat's ribbon, a sole.</summary>
    public static IReadOnlyList<Vector2[]> Details(GarmentKind kind) => kind switch
    {
        GarmentKind.Coat => [Polygon(.49, .15, .51, .15, .51, .96, .49, .96), Arc(.57, .40, .02, .02, 0, 1), Arc(.57, .56, .02, .02, 0, 1)],
        GarmentKind.Dress => [Polygon(.38, .42, .62, .42, .62, .46, .38, .46)],
        GarmentKind.Trousers => [Polygon(.24, .04, .76, .04, .765, .09, .235, .09)],
        GarmentKind.Hat => [Polygon(.215, .56, .785, .56, .79, .63, .21, .63)],
        GarmentKind.Bag => [Polygon(.44, .40, .56, .40, .56, .54, .44, .54)],
        GarmentKind.Shoe => [Polygon(.03, .80, .98, .80, .98, .86, .36, .86, .30, .94, .03, .94)],
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static Vector2[] Polygon(params double[] numbers) =>
        [.. numbers.Chunk(2).Select(pair => new Vector2((float)pair[0], (float)pair[1]))];

    // Angles are in turns, starting at the right and clockwise on screen, as y points down: 0.5 to 1 is the upper half.
    private static Vector2[] Arc(double x, double y, double radiusX, double radiusY, double from, double to)
    {
        const int Corners = 48;
        return [.. Enumerable.Range(0, Corners + 1).Select(i => (from + ((to - from) * i / Corners)) * Math.Tau)
            .Select(angle => new Vector2((float)(x + (radiusX * Math.Cos(angle))), (float)(y + (radiusY * Math.Sin(angle)))))];
    }

    private static Vector2[] Ring(double x, double y, double outerX, double outerY, double innerX, double innerY) =>
        [.. Arc(x, y, outerX, outerY, 0.5, 1), .. Arc(x, y, innerX, innerY, 1, 0.5)];
}
