using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

public sealed class RedirectTests
{
    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Three_redirects_are_followed(int status)
    {
        await using var server = await ImageServer.StartAsync((context, _) => context.Request.Path.Value switch
        {
            "/a" => Redirect(context, "/b", status),
            "/b" => Redirect(context, "c", status),
            "/c" => Redirect(context, $"http://{context.Request.Host}/d#e", status),
            _ => context.Response.WriteAsync("picture"),
        });
        using var downloader = server.Downloader();
        Assert.Equal("picture"u8.ToArray(), await downloader.DownloadAsync(server.Url()));
        Assert.Equal(["/a", "/b", "/c", "/d"], server.Requests);
    }

    [Fact]
    public async Task A_redirect_in_a_circle_ends_after_three()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Redirect(context, "/a"));
        var failure = await server.FailureAsync();
        Assert.Equal((Rejection.DownloadFailed, 4), (failure.Reason, server.Requests.Count));
        Assert.Contains("more than 3 times", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_without_an_address_is_final()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Redirect(context, ""));
        var failure = await server.FailureAsync();
        Assert.Equal((Rejection.DownloadFailed, 1), (failure.Reason, server.Requests.Count));
    }

    [Fact]
    public async Task A_redirect_into_this_machine_is_refused_even_by_a_host_that_is_allowed()
    {
        await using var secret = await ImageServer.StartAsync((context, _) => context.Response.WriteAsync("secret"));
        await using var server = await ImageServer.StartAsync((context, _) => Redirect(context, secret.Url()));
        var failure = await server.FailureAsync();
        Assert.Equal((Rejection.BlockedAddress, 1), (failure.Reason, server.Requests.Count));
        Assert.Empty(secret.Requests);
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://example.com/a")]
    [InlineData("http://user:secret@example.com/a")]
    public async Task A_redirect_to_what_is_not_fetched_is_refused(string location)
    {
        await using var server = await ImageServer.StartAsync((context, _) => Redirect(context, location));
        var failure = await server.FailureAsync();
        Assert.Equal((Rejection.BadUrl, 1), (failure.Reason, server.Requests.Count));
    }

    [Fact]
    public void A_redirect_from_https_to_http_is_refused_and_the_other_way_is_not()
    {
        var (plain, encrypted) = (new Uri("http://shop.example/a"), new Uri("https://shop.example/a"));
        Assert.Equal(Rejection.BadUrl, Assert.Throws<UnreadableImageException>(() => ImageUrl.Follow(encrypted, plain)).Reason);
        Assert.Equal(encrypted, ImageUrl.Follow(plain, encrypted));
    }

    [Fact]
    public async Task Hosts_that_redirect_to_each_other_do_not_hold_each_other_up()
    {
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            var other = context.Request.Host.Host == "a.example" ? "b.example" : "a.example";
            return context.Request.QueryString.Value switch
            {
                "" => Redirect(context, $"http://{other}{context.Request.Path}?1"),
                "?1" => Redirect(context, $"http://{other}{context.Request.Path}?2"),
                _ => context.Response.WriteAsync("picture"),
            };
        });
        var guard = new AddressGuard([], ImageDownloaderTests.Public, (_, _, _) => ImageDownloaderTests.ConnectTo(server));
        using var downloader = new ImageDownloader(new IngestionOptions { RequestsPerHost = 1 }, TimeProvider.System, guard);

        var downloads = Enumerable.Range(0, 40).Select(i => downloader.DownloadAsync($"http://{(i % 2 == 0 ? 'a' : 'b')}.example/{i}"));
        var pictures = await Task.WhenAll(downloads).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.All(pictures, picture => Assert.Equal("picture"u8.ToArray(), picture));
    }

    private static Task Redirect(HttpContext context, string location, int status = (int)HttpStatusCode.Found)
    {
        context.Response.StatusCode = status;
        if (location.Length > 0) context.Response.Headers.Location = location;
        return Task.CompletedTask;
    }
}
