using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

public sealed class ImageDownloaderTests
{
    private static readonly byte[] Bytes = [1, 2, 3];

    private static readonly IngestionOptions Small = new() { ImageLimits = new ImageLimits { MaxBytes = 1000 } };

    [Theory]
    [InlineData(null, Rejection.NoImage)]
    [InlineData("  ", Rejection.NoImage)]
    [InlineData("N.A.", Rejection.BadUrl)]
    [InlineData("ftp://example.com/a.jpg", Rejection.BadUrl)]
    [InlineData("file:///etc/passwd", Rejection.BadUrl)]
    [InlineData("/etc/passwd", Rejection.BadUrl)]
    [InlineData("data:image/png;base64,AAAA", Rejection.BadUrl)]
    [InlineData("http://user:secret@example.com/a.jpg", Rejection.BadUrl)]
    public async Task What_is_no_plain_web_address_is_not_asked_for(string? url, string reason)
    {
        var guard = new AddressGuard([], (_, _) => throw new InvalidOperationException("looked up"));
        using var downloader = new ImageDownloader(new IngestionOptions(), TimeProvider.System, guard);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(url));
        Assert.Equal(reason, failure.Reason);
        Assert.DoesNotContain("secret", failure.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, Rejection.NotFound)]
    [InlineData(410, Rejection.NotFound)]
    [InlineData(400, Rejection.DownloadFailed)]
    [InlineData(401, Rejection.DownloadFailed)]
    [InlineData(403, Rejection.DownloadFailed)]
    [InlineData(501, Rejection.DownloadFailed)]
    [InlineData(300, Rejection.DownloadFailed)]
    public async Task A_refusal_is_final(int status, string reason)
    {
        await using var server = await ImageServer.StartAsync((context, _) => Answer(context, status));
        var failure = await server.FailureAsync();
        Assert.Equal((reason, 1), (failure.Reason, server.Requests.Count));
        Assert.Contains($"{status}", failure.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task What_can_heal_is_tried_again(int status)
    {
        await using var server = await ImageServer.StartAsync(
            (context, number) => number < 3 ? Answer(context, status) : Send(context, Bytes));
        using var downloader = server.Downloader();
        Assert.Equal(Bytes, await downloader.DownloadAsync(server.Url()));
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task After_the_last_try_the_failure_counts()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Answer(context, 503));
        var failure = await server.FailureAsync(new IngestionOptions { DownloadAttempts = 2 });
        Assert.Equal((Rejection.DownloadFailed, 2), (failure.Reason, server.Requests.Count));
        Assert.EndsWith("answered 503 (2 tries)", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_was_cut_off_is_fetched_again()
    {
        await using var server = await ImageServer.StartAsync(async (context, number) =>
        {
            context.Response.ContentLength = Bytes.Length;
            await context.Response.Body.WriteAsync(Bytes.AsMemory(0, number < 3 ? 1 : Bytes.Length));
            await context.Response.Body.FlushAsync();
            if (number < 3) context.Abort();
        });
        using var downloader = server.Downloader();
        Assert.Equal(Bytes, await downloader.DownloadAsync(server.Url()));
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task A_host_that_accepts_no_connection_may_do_so_the_next_time()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Send(context, Bytes));
        var tries = 0;
        var guard = new AddressGuard([], Public, (_, _, _) =>
            ++tries < 3 ? throw new SocketException((int)SocketError.ConnectionRefused) : ConnectTo(server));
        using var downloader = new ImageDownloader(server.Allowing(new IngestionOptions()), TimeProvider.System, guard);
        Assert.Equal(Bytes, await downloader.DownloadAsync("http://shop.example/a"));
        Assert.Equal(3, tries);
    }

    [Fact]
    public async Task A_host_that_does_not_exist_will_not_the_next_time()
    {
        var tries = 0;
        var guard = new AddressGuard([], (_, _) =>
        {
            tries++;
            throw new SocketException((int)SocketError.HostNotFound);
        });
        using var downloader = new ImageDownloader(new IngestionOptions(), TimeProvider.System, guard);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync("http://gone.example/a"));
        Assert.Equal((Rejection.NotFound, 1), (failure.Reason, tries));
        Assert.Contains("there is no host gone.example", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_final()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await using var server = await ImageServer.StartAsync((context, _) => Send(context, Bytes), certificate);
        var connections = 0;
        var guard = new AddressGuard([server.BaseUrl.Authority], connect: (_, _, _) =>
        {
            connections++;
            return ConnectTo(server);
        });
        using var downloader = new ImageDownloader(new IngestionOptions(), TimeProvider.System, guard);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(server.Url()));
        Assert.Equal((Rejection.DownloadFailed, 1), (failure.Reason, connections));
        Assert.Contains("certificate", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_speaks_something_else_is_asked_once()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var connections = 0;
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var connection = await listener.AcceptTcpClientAsync();
                connections++;
                await connection.GetStream().WriteAsync("220 mail.example ready\r\n\r\n"u8.ToArray());
            }
        });
        using var downloader =
            new ImageDownloader(new IngestionOptions { AllowedHosts = [$"{listener.LocalEndpoint}"] }, TimeProvider.System);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(
            () => downloader.DownloadAsync($"http://{listener.LocalEndpoint}/"));
        Assert.Equal((Rejection.DownloadFailed, 1), (failure.Reason, connections));
        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
    }

    [Fact]
    public async Task More_than_the_limit_is_not_begun_when_the_server_says_how_much_it_is()
    {
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            context.Response.ContentLength = 1001;
            return context.Response.Body.WriteAsync(new byte[1001]).AsTask();
        });
        var failure = await server.FailureAsync(Small);
        Assert.Equal((Rejection.TooLarge, 1), (failure.Reason, server.Requests.Count));
        Assert.Contains("has 1,001 bytes", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_than_the_limit_is_not_read_when_the_server_sends_without_end()
    {
        var isGone = new TaskCompletionSource();
        await using var server = await ImageServer.StartAsync(async (context, _) =>
        {
            using var gone = context.RequestAborted.Register(isGone.SetResult);
            while (true) await context.Response.Body.WriteAsync(new byte[100], context.RequestAborted);
        });
        var failure = await server.FailureAsync(Small);
        Assert.Equal((Rejection.TooLarge, 1), (failure.Reason, server.Requests.Count));
        await isGone.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task As_much_as_the_limit_is_read()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Send(context, new byte[1000]));
        using var downloader = server.Downloader(Small);
        Assert.Equal(1000, (await downloader.DownloadAsync(server.Url())).Length);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(204)]
    public async Task No_bytes_are_no_image(int status)
    {
        await using var server = await ImageServer.StartAsync((context, _) => Answer(context, status));
        Assert.Equal(Rejection.Empty, (await server.FailureAsync()).Reason);
    }

    [Theory]
    [InlineData("image/jpeg")]
    [InlineData("text/html")]
    [InlineData("nonsense")]
    [InlineData(null)]
    public async Task What_the_server_says_of_the_type_changes_nothing(string? type)
    {
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            context.Response.ContentType = type;
            return Send(context, Bytes);
        });
        using var downloader = server.Downloader();
        Assert.Equal(Bytes, await downloader.DownloadAsync(server.Url()));
    }

    [Fact]
    public async Task Whose_publisher_does_not_want_training_on_it_is_left_out_unless_that_is_switched_off()
    {
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            context.Response.Headers.Append("X-Robots-Tag", "otherbot: noindex");
            context.Response.Headers.Append("X-Robots-Tag", "max-snippet: 5, NoAI");
            return Send(context, Bytes);
        });
        var failure = await server.FailureAsync();
        Assert.Equal((Rejection.OptedOut, 1), (failure.Reason, server.Requests.Count));
        Assert.Contains("NoAI", failure.Detail, StringComparison.Ordinal);

        using var downloader = server.Downloader(new IngestionOptions { HonorOptOut = false });
        Assert.Equal(Bytes, await downloader.DownloadAsync(server.Url()));
    }

    [Fact]
    public async Task Requests_say_who_asks_and_why_and_ask_for_the_bytes_as_they_are()
    {
        IHeaderDictionary? headers = null;
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            headers = new HeaderDictionary(context.Request.Headers.ToDictionary());
            context.Response.Headers.SetCookie = "a=b";
            return Send(context, Bytes);
        });
        using var downloader = server.Downloader(new IngestionOptions { Contact = new Uri("https://example.com/robot") });
        await downloader.DownloadAsync(server.Url());
        await downloader.DownloadAsync(server.Url());

        Assert.Equal($"{HubClient.UserAgent} (fetches images of datasets; +https://example.com/robot)", headers!.UserAgent);
        Assert.StartsWith(ImageDownloader.Robot + "/", headers.UserAgent, StringComparison.Ordinal);
        Assert.Equal(["Accept", "Accept-Encoding", "Host", "User-Agent"], headers.Keys.Order());
        Assert.Equal("identity", headers.AcceptEncoding);
    }

    internal static Task<IPAddress[]> Public(string host, CancellationToken cancellationToken) =>
        Task.FromResult<IPAddress[]>([IPAddress.Parse("8.8.8.8")]);

    internal static async Task<Stream> ConnectTo(ImageServer server)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, server.BaseUrl.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static Task Answer(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private static Task Send(HttpContext context, byte[] bytes) => context.Response.Body.WriteAsync(bytes).AsTask();
}

public sealed class RobotsTagTests
{
    [Theory]
    [InlineData("noai", "noai")]
    [InlineData("noimageai", "noimageai")]
    [InlineData("noindex", "noindex")]
    [InlineData("noimageindex", "noimageindex")]
    [InlineData("none", "none")]
    [InlineData("NoAI", "NoAI")]
    [InlineData("nofollow ,  noai", "noai")]
    [InlineData("max-snippet: 5, noai", "noai")]
    [InlineData("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", "noai")]
    [InlineData("ourbot: noai", "noai")]
    [InlineData("OurBot : nofollow, noai", "noai")]
    [InlineData("*: noai", "noai")]
    [InlineData("otherbot: noai, ourbot: noindex", "noindex")]
    public void Opts_out(string line, string directive) => Assert.Equal(directive, OptOut(line));

    [Theory]
    [InlineData("")]
    [InlineData("all")]
    [InlineData("nofollow, noarchive, max-image-preview: none")]
    [InlineData("noai-but-not-really")]
    [InlineData("otherbot: noai")]
    [InlineData("otherbot: nofollow, noai")]
    [InlineData("ourbot: nofollow, otherbot: noindex")]
    public void Does_not_opt_out(string line) => Assert.Null(OptOut(line));

    [Fact]
    public void Of_several_lines_one_is_enough_and_a_robots_name_counts_for_its_line_only()
    {
        Assert.Null(OptOut("nofollow", "otherbot: noai"));
        Assert.Equal("noai", OptOut("otherbot: nofollow", "noai"));
    }

    [Fact]
    public void No_header_is_no_opt_out()
    {
        using var response = new HttpResponseMessage();
        Assert.Null(RobotsTag.OptOut(response.Headers, "ourbot"));
    }

    private static string? OptOut(params string[] lines)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("X-Robots-Tag", lines);
        return RobotsTag.OptOut(response.Headers, "ourbot");
    }
}
