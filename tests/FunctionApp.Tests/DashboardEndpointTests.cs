using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>The dashboard over HTTP, as a browser gets it from the host.</summary>
public sealed class DashboardEndpointTests(PipelineFixture pipeline) : IClassFixture<PipelineFixture>
{
    private const string Page = "/api/dashboard/index.html";
    private const int MostCompressedBytes = 150_000;

    private static string Script => DashboardFiles.Names.First(name => name.EndsWith(".js", StringComparison.Ordinal));

    [Theory]
    [InlineData(null, null)]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("br;q=0, gzip", "gzip")]
    [InlineData("br;q=0, *", "gzip")]
    [InlineData("*;q=0", null)]
    [InlineData("identity", null)]
    public async Task A_file_is_compressed_as_the_client_takes_it(string? accepted, string? encoding)
    {
        foreach (var name in (string[])["index.html", Script])
        {
            var plain = await (await SendAsync($"/api/dashboard/{name}")).Content.ReadAsByteArrayAsync();
            var response = await SendAsync($"/api/dashboard/{name}", accepted);
            Assert.Equal(encoding, response.Content.Headers.ContentEncoding.SingleOrDefault());
            Assert.Equal(["Accept-Encoding"], response.Headers.Vary);
            Assert.Equal(plain, Decode(await response.Content.ReadAsByteArrayAsync(), encoding));
        }
    }

    [Fact]
    public async Task A_file_that_has_not_changed_is_not_sent_again()
    {
        var first = await SendAsync(Page, "br");
        var tag = first.Headers.ETag!;
        Assert.False(tag.IsWeak);

        var second = await SendAsync(Page, "br", tag);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        Assert.Equal(tag, second.Headers.ETag);
        Assert.Empty(await second.Content.ReadAsByteArrayAsync());

        // Of other bytes, even if they mean the same.
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(Page, "gzip", tag)).StatusCode);
    }

    [Fact]
    public async Task Names_with_a_hash_are_kept_for_good_and_the_page_is_asked_for_again()
    {
        var script = (await SendAsync($"/api/dashboard/{Script}")).Headers.CacheControl!;
        Assert.Equal("public, max-age=31536000, immutable", script.ToString());
        Assert.True((await SendAsync(Page)).Headers.CacheControl!.NoCache);
        var others = DashboardFiles.Names.Where(name => name != "index.html");
        Assert.All(others, name => Assert.Matches(@"^assets/[\w.-]+-[\w-]{8}\.\w+$", name));
    }

    [Fact]
    public async Task The_page_is_found_with_and_without_a_slash()
    {
        var redirected = await SendAsync("/api/dashboard");
        Assert.Equal("/api/dashboard/index.html", redirected.RequestMessage!.RequestUri!.AbsolutePath);
        var page = await (await SendAsync("/api/dashboard/")).Content.ReadAsStringAsync();
        Assert.Equal(await redirected.Content.ReadAsStringAsync(), page);
        Assert.Contains("src=\"./assets/", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none.js")]
    [InlineData("index.html.br")]
    [InlineData("assets/")]
    [InlineData("%2e%2e/host.json")]
    public async Task What_is_no_file_of_the_page_is_not_found(string path) =>
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync($"/api/dashboard/{path}", "br")).StatusCode);

    [Fact]
    public async Task Nothing_from_elsewhere_may_run_in_the_page()
    {
        foreach (var path in (string[])[Page, $"/api/dashboard/{Script}", "/api/dashboard/none.js"])
        {
            var headers = (await SendAsync(path)).Headers;
            var policy = headers.GetValues("Content-Security-Policy").Single();
            Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self';", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.Equal("nosniff", headers.GetValues("X-Content-Type-Options").Single());
            Assert.Equal("no-referrer", headers.GetValues("Referrer-Policy").Single());
            Assert.Equal("same-origin", headers.GetValues("Cross-Origin-Opener-Policy").Single());
            Assert.Contains("camera=()", headers.GetValues("Permissions-Policy").Single(), StringComparison.Ordinal);
        }
        var page = await (await SendAsync(Page)).Content.ReadAsStringAsync();
        Assert.DoesNotContain("style=", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("<script(?![^>]* src=)", page);
        Assert.DoesNotContain("//", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_head_has_the_headers_without_the_file()
    {
        var file = await SendAsync(Page, "br");
        using var request = Request(HttpMethod.Head, Page, "br", null);
        var head = await pipeline.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(file.Headers.ETag, head.Headers.ETag);
        Assert.Equal(file.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Equal(file.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public void The_page_is_small()
    {
        var br = new[] { Microsoft.Net.Http.Headers.StringWithQualityHeaderValue.Parse("br") };
        var bytes = DashboardFiles.Names.Sum(name => DashboardFiles.Find(name, br)!.Content.Length);
        Assert.InRange(bytes, 1, MostCompressedBytes);
    }

    private Task<HttpResponseMessage> SendAsync(string path, string? accepted = null, EntityTagHeaderValue? tag = null) =>
        pipeline.Http.SendAsync(Request(HttpMethod.Get, path, accepted, tag));

    private static HttpRequestMessage Request(HttpMethod method, string path, string? accepted, EntityTagHeaderValue? tag)
    {
        var request = new HttpRequestMessage(method, path);
        if (accepted is not null) request.Headers.TryAddWithoutValidation("Accept-Encoding", accepted);
        if (tag is not null) request.Headers.IfNoneMatch.Add(tag);
        return request;
    }

    private static byte[] Decode(byte[] content, string? encoding)
    {
        var compressed = new MemoryStream(content);
        using Stream decoded = encoding switch
        {
            "br" => new BrotliStream(compressed, CompressionMode.Decompress),
            "gzip" => new GZipStream(compressed, CompressionMode.Decompress),
            _ => compressed,
        };
        using var plain = new MemoryStream();
        decoded.CopyTo(plain);
        return plain.ToArray();
    }
}
