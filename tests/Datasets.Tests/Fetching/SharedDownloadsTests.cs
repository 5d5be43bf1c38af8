using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

public sealed class SharedDownloadsTests
{
    [Fact]
    public async Task What_several_want_at_once_is_fetched_once()
    {
        var go = new TaskCompletionSource();
        await using var server = await ImageServer.StartAsync(async (context, _) =>
        {
            await go.Task;
            await context.Response.WriteAsync(context.Request.Path + context.Request.QueryString);
        });
        using var downloader = server.Downloader();
        var same = Enumerable.Range(0, 20).Select(i => downloader.DownloadAsync(server.Url($"/a?1#{i}"))).ToList();
        var other = downloader.DownloadAsync(server.Url("/a?2"));
        go.SetResult();

        Assert.All(await Task.WhenAll(same), bytes => Assert.Equal("/a?1"u8.ToArray(), bytes));
        Assert.Equal("/a?2"u8.ToArray(), await other);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task A_failure_is_shared_too_and_not_kept()
    {
        var go = new TaskCompletionSource();
        await using var server = await ImageServer.StartAsync(async (context, number) =>
        {
            await go.Task;
            if (number == 1) context.Response.StatusCode = 404;
            else await context.Response.WriteAsync("picture");
        });
        using var downloader = server.Downloader();
        var same = Enumerable.Range(0, 5).Select(_ => downloader.DownloadAsync(server.Url())).ToList();
        go.SetResult();

        foreach (var download in same) await Assert.ThrowsAsync<UnreadableImageException>(() => download);
        Assert.Equal("picture"u8.ToArray(), await downloader.DownloadAsync(server.Url()));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task Who_gives_up_spoils_it_for_nobody_else()
    {
        var (begun, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var server = await ImageServer.StartAsync(async (context, _) =>
        {
            begun.SetResult();
            await go.Task.WaitAsync(context.RequestAborted);
            await context.Response.WriteAsync("picture");
        });
        using var downloader = server.Downloader();
        using var stop = new CancellationTokenSource();
        var impatient = downloader.DownloadAsync(server.Url(), stop.Token);
        var patient = downloader.DownloadAsync(server.Url());
        await begun.Task;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        go.SetResult();

        Assert.Equal("picture"u8.ToArray(), await patient);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task What_nobody_wants_any_more_is_stopped()
    {
        var (begun, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var server = await ImageServer.StartAsync(async (context, _) =>
        {
            using var aborted = context.RequestAborted.Register(gone.SetResult);
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var downloader = server.Downloader();
        using var stop = new CancellationTokenSource();
        var downloads = Enumerable.Range(0, 3).Select(_ => downloader.DownloadAsync(server.Url(), stop.Token)).ToList();
        await begun.Task;
        await stop.CancelAsync();

        foreach (var download in downloads) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => download);
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }
}
