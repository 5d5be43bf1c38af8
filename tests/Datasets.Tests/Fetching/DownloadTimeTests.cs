using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Images;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

public sealed class DownloadTimeTests
{
    private static readonly IngestionOptions Options = new()
    {
        DownloadAttempts = 1,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        ReadTimeout = TimeSpan.FromSeconds(15),
        DownloadDeadline = TimeSpan.FromSeconds(60),
    };

    private readonly ManualTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_host_that_accepts_no_connection_in_time_is_given_up()
    {
        var guard = new AddressGuard([], ImageDownloaderTests.Public, async (_, _, cancellationToken) =>
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return Stream.Null;
        });
        using var downloader = new ImageDownloader(Options with { ConnectTimeout = TimeSpan.FromMilliseconds(20) }, _time, guard);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync("http://shop.example/"));
        Assert.Equal(Rejection.Timeout, failure.Reason);
        Assert.Contains("no connection within 0.02 seconds", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_does_not_begin_in_time_is_given_up()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Stall(context));
        using var downloader = server.Downloader(Options, _time);
        var download = downloader.DownloadAsync(server.Url());
        await _time.SleepingAsync(TimeSpan.FromSeconds(25));
        _time.Advance(TimeSpan.FromSeconds(25));
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => download);
        Assert.Equal(Rejection.Timeout, failure.Reason);
        Assert.Contains("nothing for 25 seconds; no answer had begun", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_does_not_go_on_in_time_is_given_up()
    {
        await using var server = await ImageServer.StartAsync((context, _) => SendAndStall(context));
        using var downloader = server.Downloader(Options, _time);
        var download = downloader.DownloadAsync(server.Url());
        await _time.SleepingAsync(TimeSpan.FromSeconds(15));
        _time.Advance(TimeSpan.FromSeconds(15));
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => download);
        Assert.Equal(Rejection.Timeout, failure.Reason);
        Assert.Matches(@"nothing for 15 seconds; \d bytes had come \(1 try\)", failure.Detail);
    }

    [Fact]
    public async Task A_stall_may_be_over_the_next_time()
    {
        await using var server = await ImageServer.StartAsync(
            (context, number) => number == 1 ? SendAndStall(context) : context.Response.WriteAsync("picture"));
        using var downloader = server.Downloader(Options with { DownloadAttempts = 2 }, _time);
        var download = downloader.DownloadAsync(server.Url());
        await _time.SleepingAsync(TimeSpan.FromSeconds(15));
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal("picture"u8.ToArray(), await download);
    }

    [Fact]
    public async Task A_server_that_trickles_is_stopped_by_the_deadline_and_not_asked_again()
    {
        await using var server = await ImageServer.StartAsync(async (context, _) =>
        {
            while (true)
            {
                await context.Response.Body.WriteAsync(new byte[1], context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(10, context.RequestAborted);
            }
        });
        using var downloader = server.Downloader(Options with { DownloadAttempts = 3 }, _time);
        var download = downloader.DownloadAsync(server.Url());
        for (var seconds = 0; seconds < 60; seconds += 10)
        {
            // Each read of the body gives the next another 15 seconds.
            await _time.SleepingAsync(TimeSpan.FromSeconds(15));
            _time.Advance(TimeSpan.FromSeconds(10));
        }
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => download);
        Assert.Equal(Rejection.Timeout, failure.Reason);
        Assert.Contains("not complete within 60 seconds", failure.Detail, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task All_tries_and_pauses_are_within_one_deadline()
    {
        await using var server = await ImageServer.StartAsync((context, _) => Busy(context, 40));
        using var downloader = server.Downloader(Options with { DownloadAttempts = 10 }, _time);
        var download = downloader.DownloadAsync(server.Url());
        await _time.SleepingAsync(TimeSpan.FromSeconds(40));
        _time.Advance(TimeSpan.FromSeconds(40));
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => download);
        Assert.Equal((Rejection.DownloadFailed, 2), (failure.Reason, server.Requests.Count));
        Assert.Contains("2 tries; no time is left for another after a pause of 40 seconds", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_asks_for_a_pause_gets_it_from_everybody()
    {
        await using var server = await ImageServer.StartAsync((context, number) =>
            context.Request.Path == "/a" && number == 1 ? Busy(context, 7) : context.Response.WriteAsync("picture"));
        using var downloader = server.Downloader(Options with { DownloadAttempts = 2 }, _time);
        var first = downloader.DownloadAsync(server.Url("/a"));
        await _time.SleepingAsync(TimeSpan.FromSeconds(7));
        var second = downloader.DownloadAsync(server.Url("/b"));
        await _time.SleepingAsync(TimeSpan.FromSeconds(7), sleepers: 2);
        _time.Advance(TimeSpan.FromSeconds(6.9));
        Assert.Equal(["/a"], server.Requests);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(["picture"u8.ToArray(), "picture"u8.ToArray()], await Task.WhenAll(first, second));
    }

    [Fact]
    public async Task A_pause_may_be_given_as_a_date()
    {
        await using var server = await ImageServer.StartAsync((context, number) =>
        {
            if (number > 1) return context.Response.WriteAsync("picture");
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = _time.GetUtcNow().AddSeconds(20).ToString("r");
            return Task.CompletedTask;
        });
        using var downloader = server.Downloader(Options with { DownloadAttempts = 2 }, _time);
        var download = downloader.DownloadAsync(server.Url());
        await _time.SleepingAsync(TimeSpan.FromSeconds(20));
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal("picture"u8.ToArray(), await download);
    }

    [Fact]
    public async Task A_host_stops_the_others_no_longer_than_one_download_may_take()
    {
        await using var server = await ImageServer.StartAsync(
            (context, _) => context.Request.Path == "/a" ? Busy(context, 100_000) : context.Response.WriteAsync("picture"));
        using var downloader = server.Downloader(Options with { DownloadAttempts = 2 }, _time);
        await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(server.Url("/a")));
        var other = downloader.DownloadAsync(server.Url("/b"));
        await _time.SleepingAsync(TimeSpan.FromSeconds(60));
        _time.Advance(TimeSpan.FromSeconds(60));
        // Waiting for the host was longer than the deadline, and does not count.
        Assert.Equal("picture"u8.ToArray(), await other);
    }

    private static Task Busy(HttpContext context, int seconds)
    {
        context.Response.StatusCode = 429;
        context.Response.Headers.RetryAfter = $"{seconds}";
        return Task.CompletedTask;
    }

    private static Task Stall(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted);

    private static async Task SendAndStall(HttpContext context)
    {
        await context.Response.WriteAsync("pic");
        await context.Response.Body.FlushAsync();
        await Stall(context);
    }
}
