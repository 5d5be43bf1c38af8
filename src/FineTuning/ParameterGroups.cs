using FunctionsPipeline.Phi3Vision;
using TorchSharp.Modules;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Which weights decay: matrices and convolutions do; norms, biases, embeddings and separators, whose size carries meaning, do not.
/// </summary>
internal static class ParameterGroups
{
    private static readonly string[] Embeddings =
        ["embed_tokens.weight", "position_embedding.weight", "class_embedding", "sub_GN", "glb_GN"];

    /// <summary>AdamW over all parameters of a model.</summary>
    public static AdamW Optimizer(Phi3VisionModel model, double learningRate, double weightDecay)
    {
        var groups = model.named_parameters().ToLookup(p => Decays(p.name, p.parameter.dim()), p => p.parameter);
        return TorchSharp.torch.optim.AdamW(
            [
                new AdamW.ParamGroup(groups[true], lr: learningRate, weight_decay: weightDecay),
                new AdamW.ParamGroup(groups[false], lr: learningRate, weight_decay: 0),
            ],
            lr: learningRate);
    }

    /// <summary>Whether weight decay applies to a parameter.</summary>
    public static bool Decays(string name, long dimensions) =>
        dimensions > 1 && !Embeddings.Any(e => name.EndsWith(e, StringComparison.Ordinal));
}
