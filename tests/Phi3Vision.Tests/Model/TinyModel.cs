using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

internal static class TinyModel
{
    public static Phi3VisionModel Create()
    {
        // Larger than usual weights, so that the most likely token depends on the complete prompt.
        var model = new Phi3VisionModel(Presets.Tiny(400) with { InitializerRange = 0.2 });
        Initializer.Initialize(model, seed: 3);
        return model;
    }

    public static ModelInput Ids(params long[] ids) => new(torch.tensor(ids, [1L, ids.Length]));

    public static ModelInput LeftPadded(params long[][] rows)
    {
        var length = rows.Max(row => row.Length);
        var ids = rows.SelectMany(row => Enumerable.Repeat(0L, length - row.Length).Concat(row)).ToArray();
        var mask = rows.SelectMany(row => Enumerable.Range(0, length).Select(i => i < length - row.Length ? 0L : 1L)).ToArray();
        return new ModelInput(torch.tensor(ids, [rows.Length, length]), torch.tensor(mask, [rows.Length, length]));
    }
}
