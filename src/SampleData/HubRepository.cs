using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.SampleData;

/// <summary>Files of a repository at one commit.</summary>
public sealed record HubSnapshot(string Commit, IReadOnlyList<HubFile> Files);

/// <summary>A repository of the sample hub.</summary>
/// <param name="kind"><c>datasets</c> or <c>models</c>.</param>
/// <param name="id">Repository id, <c>owner/name</c>.</param>
/// <param name="revisions">Snapshots by branch name.</param>
public sealed class HubRepository(string kind, string id, IReadOnlyDictionary<string, HubSnapshot> revisions)
{
    public const string Main = "main";
    public const string ConvertedParquet = "refs/convert/parquet";

    public string Kind { get; } = kind;

    public string Id { get; } = id;

    /// <summary>Paths of a dataset's Parquet files in <see cref="ConvertedParquet"/> by configuration and split.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>> Parquet { get; init; } =
        new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>();

    /// <summary>Finds the snapshot of a branch or commit; null when there is none.</summary>
    public HubSnapshot? Find(string revision) =>
        revisions.TryGetValue(revision, out var snapshot) ? snapshot : revisions.Values.FirstOrDefault(s => s.Commit == revision);

    /// <summary>Derives a deterministic commit id from the given parts.</summary>
    public static string CommitOf(params IEnumerable<string> parts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..40];
}
