using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Which views go through CLIP: never filler, and of an image with one crop that is the same picture as its global view only the one.
/// </summary>
/// <param name="Views">Indices in the flattened [N · K].</param>
/// <param name="Global">For each image, where in <paramref name="Views"/> its global view is.</param>
/// <param name="FirstCrop">For each image, where its crops begin.</param>
internal sealed record ViewPlan(long[] Views, long[] Global, long[] FirstCrop)
{
    public static ViewPlan Create(Tensor pixels, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        var perImage = pixels.shape[1];
        var same = CropIsGlobalView(pixels, grids);
        var views = new List<long>();
        var (global, firstCrop) = (new long[grids.Count], new long[grids.Count]);
        for (var i = 0; i < grids.Count; i++)
        {
            global[i] = views.Count;
            firstCrop[i] = same[i] ? views.Count : views.Count + 1;
            var count = same[i] ? 1 : 1 + grids[i].Rows * grids[i].Columns;
            for (var view = 0; view < count; view++) views.Add(i * perImage + view);
        }
        return new ViewPlan([.. views], global, firstCrop);
    }

    /// <summary>The planned views of [N, K, 3, 336, 336], as [V, 3, 336, 336].</summary>
    public Tensor Select(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var flat = pixels.flatten(0, 1);
        var views = Views.Length == flat.shape[0] ? flat : flat.index_select(0, torch.tensor(Views, device: pixels.device));
        return views.MoveToOuterDisposeScope();
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
