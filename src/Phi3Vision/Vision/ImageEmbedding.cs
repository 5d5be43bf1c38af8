using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Vision;

/// <summary>
/// Turns images into embeddings for the decoder: CLIP features of every view, 2×2 patches merged, the crops tiled into one grid, a learned
/// separator at the end of each grid row (<c>sub_GN</c>) and one between the grid and the global view (<c>glb_GN</c>), then the projection.
/// The published <c>Phi3ImageEmbedding</c>. N images, K views of each with filler, V views that are computed, C CLIP's width, H the
/// decoder's.
/// </summary>
internal sealed class ImageEmbedding : nn.Module
{
    // Patches per side of a view after the 2×2 merge: 336 / 14 / 2.
    private const int Grid = 12;

    /// <summary>Patches of a view before the 2×2 merge: (336 / 14)² = 576.</summary>
    internal const int Patches = 2 * Grid * 2 * Grid;

    private readonly Parameter glb_GN;
    private readonly Parameter sub_GN;
    private readonly ClipModel img_processor;
    private readonly ImageProjection img_projection;
    // Width of a merged patch: 2 · 2 patches of C values, 4C.
    private readonly int _merged;

    public ImageEmbedding(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(ImageEmbedding))
    {
        _merged = 4 * config.Clip.HiddenSize;
        glb_GN = new Parameter(torch.zeros([1, 1, _merged], dtype: dtype, device: device));
        sub_GN = new Parameter(torch.zeros([1, 1, 1, _merged], dtype: dtype, device: device));
        img_processor = new ClipModel(config.Clip, device, dtype);
        img_projection = new ImageProjection(config, device, dtype);
        RegisterComponents();
    }

    /// <summary>Computes the embeddings of all images from pixels, in the order of the images.</summary>
    /// <param name="pixels">[N, K, 3, 336, 336].</param>
    /// <param name="grids">Rows and columns of crops of each image.</param>
    /// <param name="tape">Records the layers of the vision tower.</param>
    /// <returns>[sum of image tokens, H].</returns>
    public Tensor forward(Tensor pixels, IReadOnlyList<(int Rows, int Columns)> grids, ActivationTape? tape)
    {
        using var scope = NewDisposeScope();
        var plan = ViewPlan.OfPixels(pixels, grids);
        return Rows(img_processor.forward(plan.Select(pixels), tape), plan, grids).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the embeddings of all images from CLIP features that were computed before.</summary>
    /// <param name="features">CLIP features of each image, [V, 576, C].</param>
    /// <param name="grids">Rows and columns of crops of each image.</param>
    /// <returns>[sum of image tokens, H].</returns>
    public Tensor forward(IReadOnlyList<Tensor> features, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        using var scope = NewDisposeScope();
        return Rows(torch.cat(features.ToArray(), dim: 0), ViewPlan.OfFeatures(features), grids).MoveToOuterDisposeScope();
    }

    /// <summary>Computes CLIP's patch features of views: [V, 3, 336, 336] → [V, 576, C].</summary>
    internal Tensor Features(Tensor views) => img_processor.forward(views, tape: null);

    /// <summary>
    /// Lays out features as embeddings, [V, 576, C] → [sum of image tokens, H]. An image with h × w crops takes
    /// 12h · (12w + 1) + 1 + 12 · 13 tokens: the grid of crops with row ends, <c>glb_GN</c>, the global view with row ends.
    /// </summary>
    private Tensor Rows(Tensor features, ViewPlan plan, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        // Projected before they are laid out: a view that serves as crop and as global view is projected once. The separators have the
        // width 4C of a merged patch, too.
        var merged = Merge(features);
        var projected = img_projection.call(torch.cat([merged, sub_GN.view(1, _merged), glb_GN.view(1, _merged)], dim: 0))
            .split([merged.shape[0], 1, 1], 0);
        var (rowEnd, separator, width) = (projected[1], projected[2], projected[0].shape[1]);
        var patches = projected[0].view(-1, Grid, Grid, width);
        var parts = new List<Tensor>(3 * grids.Count);
        for (var i = 0; i < grids.Count; i++)
        {
            var (rows, columns) = grids[i];
            // [h · w, 12, 12, H] → [h, 12, w, 12, H] → [12h, 12w, H]: crops side by side, as in the image that they tile.
            var crops = patches.narrow(0, plan.FirstCrop[i], rows * columns).view(rows, columns, Grid, Grid, width)
                .permute(0, 2, 1, 3, 4).reshape(rows * Grid, columns * Grid, width);
            // The published hd_transform_order, sub_glb: the crops come first, although the pixels begin with the global view.
            parts.Add(WithRowEnds(crops, rowEnd));
            parts.Add(separator);
            parts.Add(WithRowEnds(patches.select(0, plan.Global[i]), rowEnd));
        }
        return torch.cat(parts, dim: 0);
    }

    /// <summary>Concatenates 2×2 patches, [V, 576, C] → [V · 144, 4C]: top left, top right, bottom left, bottom right.</summary>
    private Tensor Merge(Tensor features) =>
        features.reshape(-1, Grid, 2, Grid, 2, _merged / 4).permute(0, 1, 3, 2, 4, 5).reshape(-1, _merged);

    /// <summary>Appends the projected <c>sub_GN</c> to each row of a grid: [h, w, H] → [h · (w + 1), H].</summary>
    private static Tensor WithRowEnds(Tensor grid, Tensor end) =>
        torch.cat([grid, end.unsqueeze(0).expand(grid.shape[0], 1, -1)], dim: 1).flatten(0, 1);
}

/// <summary>
/// Projects merged patches (4C) to the decoder's width (H): W₂ · gelu(W₀ · x + b₀) + b₂, with the exact gelu(x) = x · Φ(x). The
/// components are named 0 and 2, their places in the published checkpoint's sequence.
/// </summary>
internal sealed class ImageProjection : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")]
    private readonly Linear _first;

    [ComponentName(Name = "2")]
    private readonly Linear _second;

    public ImageProjection(Phi3VisionConfig config, Device device, ScalarType dtype) : base(nameof(ImageProjection))
    {
        _first = EmptyLayers.Linear(4 * config.Clip.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        _second = EmptyLayers.Linear(config.HiddenSize, config.HiddenSize, hasBias: true, device, dtype);
        RegisterComponents();
    }

    /// <param name="input">[rows, 4C].</param>
    /// <returns>[rows, H].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return _second.call(nn.functional.gelu(_first.call(input))).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Selects the views that go through CLIP: no filler, and only one view of an image whose only crop has the same pixels as its global view.
/// </summary>
/// <param name="Counts">Number of selected views of each image.</param>
/// <param name="Global">Index of each image's global view among the selected views of all images.</param>
/// <param name="FirstCrop">Index of each image's first crop among them; the global view's index where one view serves as both.</param>
internal sealed record ViewPlan(long[] Counts, long[] Global, long[] FirstCrop)
{
    /// <summary>Plans the views of pixels.</summary>
    /// <param name="pixels">[N, K, 3, 336, 336].</param>
    /// <param name="grids">Rows and columns of crops of each image.</param>
    public static ViewPlan OfPixels(Tensor pixels, IReadOnlyList<(int Rows, int Columns)> grids)
    {
        var same = CropIsGlobalView(pixels, grids);
        return Of(grids.Select((grid, i) => same[i] ? 1L : 1 + grid.Rows * grid.Columns));
    }

    /// <summary>Plans features whose views were selected when they were computed.</summary>
    /// <param name="features">CLIP features of each image, [V, 576, C].</param>
    public static ViewPlan OfFeatures(IReadOnlyList<Tensor> features) => Of(features.Select(image => image.shape[0]));

    /// <summary>Selects the planned views of [N, K, 3, 336, 336], as [V, 3, 336, 336].</summary>
    public Tensor Select(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var perImage = pixels.shape[1];
        if (Counts.All(count => count == 1)) return pixels.select(1, 0).MoveToOuterDisposeScope();
        var flat = pixels.flatten(0, 1);
        // View k of image i is row i · K + k of [N · K]; filler comes after an image's own views.
        var views = Counts.SelectMany((count, image) => Enumerable.Range(0, (int)count).Select(view => image * perImage + view)).ToArray();
        var selected = views.Length == flat.shape[0] ? flat : flat.index_select(0, torch.tensor(views, device: pixels.device));
        return selected.MoveToOuterDisposeScope();
    }

    private static ViewPlan Of(IEnumerable<long> counts)
    {
        // An image's views are its global view, then its crops; images follow each other.
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
        // All views are the same memory.
        if (pixels.stride(1) == 0) return [.. grids.Select(grid => grid == (1, 1))];
        using var scope = NewDisposeScope();
        var images = candidates.Length == grids.Count ? pixels : pixels.index_select(0, torch.tensor(candidates, device: pixels.device));
        // Views 0 and 1, the global view and the crop, are compared, since a caller may pass other pixels than the processor makes. The
        // answers for all images come to the CPU in one copy: each copy waits for the GPU.
        var equal = images.select(1, 0).eq(images.select(1, 1)).flatten(1).all(1).cpu().data<bool>().ToArray();
        for (var i = 0; i < candidates.Length; i++) same[candidates[i]] = equal[i];
        return same;
    }
}
