using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

public sealed class HostThrottleTests
{
    private static readonly Uri Shop = new("http://shop.example/a");

    private readonly ManualTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public async Task A_host_has_as_many_turns_at_a_time_as_the_options_say()
    {
        var throttle = new HostThrottle(new IngestionOptions { RequestsPerHost = 2 }, _time);
        using var first = await throttle.EnterAsync(Shop, default);
        var second = await throttle.EnterAsync(new Uri("https://SHOP.example.:8443/b"), default);
        var third = throttle.EnterAsync(Shop, default);
        using var elsewhere = await throttle.EnterAsync(new Uri("http://other.example/"), default);
        Assert.False(third.IsCompleted);
        second.Dispose();
        using var turn = await third;
    }

    [Fact]
    public async Task Requests_begin_at_the_pace_that_the_options_say()
    {
        var throttle = new HostThrottle(new IngestionOptions { RequestsPerHostPerSecond = 4 }, _time);
        using var first = await throttle.EnterAsync(Shop, default);
        var second = throttle.EnterAsync(Shop, default);
        var third = throttle.EnterAsync(Shop, default);
        await _time.SleepingAsync(TimeSpan.FromSeconds(0.25));
        _time.Advance(TimeSpan.FromSeconds(0.25));
        using var turn = await second;
        await _time.SleepingAsync(TimeSpan.FromSeconds(0.25));
        Assert.False(third.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.25));
        using var another = await third;
    }

    [Fact]
    public async Task A_pause_that_is_asked_for_while_others_wait_holds_them_back_too()
    {
        var throttle = new HostThrottle(new IngestionOptions { RequestsPerHostPerSecond = 1 }, _time);
        using var first = await throttle.EnterAsync(Shop, default);
        var second = throttle.EnterAsync(Shop, default);
        await _time.SleepingAsync(TimeSpan.FromSeconds(1));
        first.HoldBack(TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(1));
        await _time.SleepingAsync(TimeSpan.FromSeconds(4));
        Assert.False(second.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(4));
        using var turn = await second;
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(8, 1.0)]
    public async Task Who_gives_up_waiting_leaves_the_turn_to_the_next(int places, double? perSecond)
    {
        var throttle = new HostThrottle(new IngestionOptions { RequestsPerHost = places, RequestsPerHostPerSecond = perSecond }, _time);
        var first = await throttle.EnterAsync(Shop, default);
        using var stop = new CancellationTokenSource();
        var second = throttle.EnterAsync(Shop, stop.Token);
        var third = throttle.EnterAsync(Shop, default);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        first.Dispose();
        if (perSecond is not null)
        {
            await _time.SleepingAsync(TimeSpan.FromSeconds(1));
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        using var turn = await third;
    }

    [Fact]
    public async Task Hosts_that_are_done_with_are_forgotten()
    {
        var throttle = new HostThrottle(new IngestionOptions { RequestsPerHostPerSecond = 1 }, _time);
        using var busy = await throttle.EnterAsync(Shop, default);
        for (var i = 0; i < 10_000; i++)
        {
            (await throttle.EnterAsync(new Uri($"http://{i}.example/"), default)).Dispose();
            _time.Advance(TimeSpan.FromSeconds(0.1));
            Assert.InRange(throttle.Count, 1, 64);
        }
        busy.HoldBack(TimeSpan.FromSeconds(1));
        var next = throttle.EnterAsync(Shop, default);
        Assert.False(next.IsCompleted);
        await _time.SleepingAsync(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        using var turn = await next;
    }

    [Fact]
    public async Task A_host_never_sees_more_requests_at_once_than_agreed_however_many_are_wanted()
    {
        var three = new TaskCompletionSource();
        ImageServer? seen = null;
        await using var server = seen = await ImageServer.StartAsync(async (context, _) =>
        {
            if (seen!.MostAtOnce >= 3) three.TrySetResult();
            await three.Task.WaitAsync(context.RequestAborted);
            await context.Response.Body.WriteAsync(new byte[10_000]);
        });
        using var downloader = server.Downloader(new IngestionOptions { RequestsPerHost = 3 });
        var pictures = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => downloader.DownloadAsync(server.Url($"/{i}"))));
        Assert.Equal(50, pictures.Length);
        Assert.Equal(3, server.MostAtOnce);
    }
}
