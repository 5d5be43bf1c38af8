namespace FunctionsPipeline.Benchmarks;

/// <summary>A hash (FNV-1a on whole ids) of token ids in order, which <c>rust-tokenizers.cjs</c> computes too.</summary>
internal static class IdHash
{
    private const uint Prime = 16777619;

    /// <summary>Of no ids.</summary>
    public const uint Empty = 2166136261;

    /// <summary>Of the ids of <paramref name="hash"/> and more.</summary>
    public static uint Add(uint hash, IEnumerable<int> ids) => ids.Aggregate(hash, (sum, id) => unchecked((sum ^ (uint)id) * Prime));
}
