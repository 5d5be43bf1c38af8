namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// How far a correct engine in float32 may be from a recording, several times what was observed between float32 and float64. Known
/// mistakes, such as an epsilon of 1e-6 for 1e-5, are further away.
/// </summary>
internal static class Tolerances
{
    /// <summary>Of AdamW's losses.</summary>
    public const double StepLosses = 1e-4;

    /// <summary>Of weights after AdamW's steps.</summary>
    public const double StepWeights = 1e-5;

    /// <summary>Of A and B after AdamW's steps.</summary>
    public const double Adapters = 5e-5;

    /// <summary>Of weights that adapters have been merged into after AdamW's steps.</summary>
    public const double MergedWeights = 2e-5;

    /// <summary>Of logits after AdamW's steps on adapters.</summary>
    public const double AdaptedLogits = 2e-4;

    /// <summary>Of gradients, as a part of the largest entry.</summary>
    public const double Gradients = 5e-5;

    /// <summary>
    /// Gradients whose largest entry is below this are rounding noise, such as those of key biases, which are 0 in exact arithmetic.
    /// </summary>
    public const double SmallestGradient = 2e-3;

    /// <summary>Of pixels after the image processor; its crops are exact.</summary>
    public const double Pixels = 2e-6;

    /// <summary>Of an output of the model by its name; null for a name that means nothing here.</summary>
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
