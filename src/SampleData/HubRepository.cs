using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.SampleData;

/// <summary>What a repository holds at one commit.</summary>
public sealed record HubSnapshot(string Commit, IReadOnlyList<HubFile> Files);

/// <summary>A repository of the sample hub.</summary>
/// <param name="kind"><c>datasets</c> or <c>models</c>.</param>
/// <param name="id">Repository id, <c>owner/name</c>.</param>
/// <param name="revisions">The snapshot under each branch name.</param>
public sealed class HubRepository(string kind, string id, IReadOnlyDictionary<string, HubSnapshot> revisions)
{
    public const string Main = "main";
    public const string ConvertedParquet = "refs/convert/parquet";

    public string Kind { get; } = kind;

    public string Id { get; } = id;

    /// <summary>For a dataset: paths of the Parquet files in <see cref="ConvertedParquet"/> by configuration and split.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>> Parquet { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>();

    /// <summary>The snapshot of a branch or a commit; null when there is none.</summary>
    public HubSnapshot? Find(string revision) =>
        revisions.TryGetValue(revision, out var snapshot) ? snapshot : revisions.Values.FirstOrDefault(s => s.Commit == revision);

    /// <summary>A commit id that is the same for the same parts.</summary>
    public static string CommitOf(params IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..40];
}
