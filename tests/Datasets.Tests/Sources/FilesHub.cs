using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace FunctionsPipeline.Datasets.Tests.Sources;

/// <summary>A hub with one dataset, <c>a/b</c>, that it has not converted to Parquet: files by revision and path.</summary>
internal sealed class FilesHub(IReadOnlyDictionary<string, IReadOnlyDictionary<string, byte[]>> revisions) : HttpMessageHandler
{
    /// <summary>Returns the commit of a revision.</summary>
    public static string CommitOf(string revision) => Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(revision)));

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var parts = request.RequestUri!.AbsolutePath.Split('/').Select(Uri.UnescapeDataString).ToArray();
        return Task.FromResult(parts switch
        {
            [_, "api", "datasets", "a", "b", "revision", var revision] => Find(revision) is { } found
                ? Json(new { sha = CommitOf(found) }) : Missing("RevisionNotFound"),
            [_, "api", "datasets", "a", "b", "tree", var revision] => Json(revisions[Find(revision)!]
                .Select(file => new { type = "file", path = file.Key, size = file.Value.Length, oid = GitOid(file.Value) })),
            [_, "datasets", "a", "b", "resolve", var revision, .. var path] =>
                revisions[Find(revision)!].TryGetValue(string.Join('/', path), out var content)
                    ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(content) } : Missing("EntryNotFound"),
            _ => Missing("RepoNotFound"),
        });
    }

    private string? Find(string revision) => revisions.Keys.FirstOrDefault(known => known == revision || CommitOf(known) == revision);

    private static HttpResponseMessage Json<T>(T value) =>
        new(HttpStatusCode.OK) { Content = new StringContent(JsonSerializer.Serialize(value), Encoding.UTF8, "application/json") };

    private static HttpResponseMessage Missing(string code) =>
        new(HttpStatusCode.NotFound) { Headers = { { "X-Error-Code", code } } };

    private static string GitOid(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
}
