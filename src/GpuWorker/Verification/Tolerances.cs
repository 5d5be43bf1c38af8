namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Largest allowed differences between a float32 engine and a recording: several times the difference observed between float32 and float64,
/// and less than the effect of known mistakes, such as an epsilon of 1e-6 instead of 1e-5.
/// </summary>
internal static class Tolerances
{
    /// <summary>Tolerance of the losses of AdamW's steps.</summary>
    public const double StepLosses = 1e-4;

    /// <summary>Tolerance of weights after AdamW's steps.</summary>
    public const double StepWeights = 1e-5;

    /// <summary>Tolerance of the adapter matrices A and B after AdamW's steps.</summary>
    public const double Adapters = 5e-5;

    /// <summary>Tolerance of merged weights after AdamW's steps on adapters.</summary>
    public const double MergedWeights = 2e-5;

    /// <summary>Tolerance of logits after AdamW's steps on adapters.</summary>
    public const double AdaptedLogits = 2e-4;

    /// <summary>Tolerance of gradients, relative to their largest entry.</summary>
    public const double Gradients = 5e-5;

    /// <summary>
    /// Lower bound of a gradient's largest entry: smaller gradients are rounding noise, such as those of key biases, which are 0 in exact
    /// arithmetic.
    /// </summary>
    public const double SmallestGradient = 2e-3;

    /// <summary>Tolerance of pixels after the image processor; cropping itself is exact.</summary>
    public const double Pixels = 2e-6;

    /// <summary>Returns the tolerance of a model output by its name; null for an unknown name.</summary>
    public static double? Of(string output) => output switch
    {
        "rope_cos" or "rope_sin" => 2e-6,
        "clip_features" or "image_embeds" or "hidden_after_embed" => 2e-5,
        "final_hidden" => 3e-5,
        "logits" or "greedy_logits" or "cross.logits_cache" or "cross.logits_nocache" => 1e-4,
        "loss" => 1e-5,
        "greedy_tokens" or "greedy_tokens_nocache" or "cross.greedy_tokens_cache" or "cross.greedy_tokens_nocache" => 0,
        _ when output.StartsWith("hidden_layer_", StringComparison.Ordinal) => 3e-5,
        _ => null,
    };
}
