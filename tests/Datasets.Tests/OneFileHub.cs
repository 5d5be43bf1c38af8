using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace FunctionsPipeline.Datasets.Tests;

/// <summary>A hub with one dataset, <c>a/b</c>, that has one Parquet file.</summary>
internal sealed class OneFileHub(byte[] parquet) : HttpMessageHandler
{
    private const string Url = "https://huggingface.co/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet";

    private readonly string _gitOid =
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {parquet.Length}\0"), .. parquet]));

    private readonly string _sha256 = Convert.ToHexStringLower(SHA256.HashData(parquet));

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Task.FromResult(request.RequestUri!.AbsolutePath switch
        {
            var path when path.EndsWith("/parquet", StringComparison.Ordinal) && !path.Contains("resolve", StringComparison.Ordinal)
                && !path.Contains("revision", StringComparison.Ordinal) => Json($$$"""{"default":{"train":["{{{Url}}}"]}}"""),
            var path when path.Contains("/tree/", StringComparison.Ordinal) => Json($$$"""
                [{"type":"file","path":"default/train/0000.parquet","size":{{{parquet.Length}}},"oid":"{{{_gitOid}}}",
                  "lfs":{"oid":"{{{_sha256}}}","size":{{{parquet.Length}}}}}]
                """),
            var path when path.Contains("/resolve/", StringComparison.Ordinal) =>
                new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(parquet) },
            _ => Json($$"""{"sha":"{{Convert.ToHexStringLower(SHA1.HashData(parquet))}}"}"""),
        });

    private static HttpResponseMessage Json(string text) =>
        new(HttpStatusCode.OK) { Content = new StringContent(text, Encoding.UTF8, "application/json") };
}
