namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Selects the weights that decay: matrices and convolutions. Norms, biases, embeddings and separators do not: their magnitude has meaning.
/// </summary>
internal static class ParameterGroups
{
    private static readonly string[] Embeddings =
        ["embed_tokens.weight", "position_embedding.weight", "class_embedding", "sub_GN", "glb_GN"];

    /// <summary>True when weight decay applies to a parameter.</summary>
    public static bool Decays(string name, long dimensions) =>
        dimensions > 1 && !Embeddings.Any(e => name.EndsWith(e, StringComparison.Ordinal));
}
