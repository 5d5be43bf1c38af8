using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Selects the views that go through CLIP: no filler, and only one view of an image whose only crop has the same pixels as its global view.
/// </summary>
/// <param name="Counts">Number of selected views of each image.</param>
/// <param name="Global">Index of each image's global view among the selected views of all images.</param>
/// <param name="FirstCrop">Index of each image's first crop among them; the global view's index where one view serves as both.</param>
internal sealed record ViewPlan(long[] Counts, long[] Global, long[] FirstCrop)
{
    /// <param name="pixels">[N, K, 3, 336, 336].</param>
    /// <param name="grids">Rows and columns of crops of each image.</param>
    public static ViewPlan OfPixels(Tensor pixels, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        var same = CropIsGlobalView(pixels, grids);
        return Of(grids.Select((grid, i) => same[i] ? 1L : 1 + grid.Rows * grid.Columns));
    }

    /// <param name="features">CLIP features of each image, [V, 576, C].</param>
    public static ViewPlan OfFeatures(IReadOnlyList<Tensor> features) => Of(features.Select(image => image.shape[0]));

    /// <summary>Selects the planned views of [N, K, 3, 336, 336], as [V, 3, 336, 336].</summary>
    public Tensor Select(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var perImage = pixels.shape[1];
        var flat = pixels.flatten(0, 1);
        var views = Counts.SelectMany((count, image) => Enumerable.Range(0, (int)count).Select(view => image * perImage + view)).ToArray();
        var selected = views.Length == flat.shape[0] ? flat : flat.index_select(0, torch.tensor(views, device: pixels.device));
        return selected.MoveToOuterDisposeScope();
    }

    private static ViewPlan Of(IEnumerable<long> counts)
    {
        long[] each = [.. counts];
        var global = new long[each.Length];
        for (var i = 1; i < each.Length; i++) global[i] = global[i - 1] + each[i - 1];
        return new ViewPlan(each, global, [.. global.Zip(each, (start, count) => count == 1 ? start : start + 1)]);
    }

    private static bool[] CropIsGlobalView(Tensor pixels, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        var candidates = Enumerable.Range(0, grids.Count).Where(i => grids[i] == (1, 1)).Select(i => (long)i).ToArray();
        var same = new bool[grids.Count];
        if (candidates.Length == 0) return same;
        using var scope = NewDisposeScope();
        var images = candidates.Length == grids.Count ? pixels : pixels.index_select(0, torch.tensor(candidates, device: pixels.device));
        var equal = images.select(1, 0).eq(images.select(1, 1)).flatten(1).all(1).cpu().data<bool>().ToArray();
        for (var i = 0; i < candidates.Length; i++) same[candidates[i]] = equal[i];
        return same;
    }
}
