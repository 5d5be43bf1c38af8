using System.Net;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.SampleData;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Datasets.Tests.Hub;

public sealed class HubTransportTests
{
    private const string Commit = """{"sha":"abc"}""";

    private readonly ManualTimeProvider _clock = new(new DateTimeOffset(2026, 1, 15, 12, 0, 0, TimeSpan.Zero));

    [Theory]
    [InlineData("Retry-After: 40")]
    [InlineData("Retry-After: Thu, 15 Jan 2026 12:00:40 GMT")]
    [InlineData("RateLimit: \"api\";r=0;t=40")]
    [InlineData("RateLimit: \"pages\";r=7;t=300, \"api\";r=0;t=40")]
    public async Task A_busy_hub_is_asked_again_after_the_pause_it_asks_for(string header)
    {
        var server = new ScriptedServer(ScriptedServer.Status(HttpStatusCode.TooManyRequests, header), ScriptedServer.Json(Commit));
        var commit = AskAsync(Client(server));

        await _clock.SleepingAsync(TimeSpan.FromSeconds(40));
        _clock.Advance(TimeSpan.FromSeconds(39.9));
        Assert.Single(server.Requests);
        _clock.Advance(TimeSpan.FromSeconds(0.1));

        Assert.Equal("abc", await commit);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task When_the_last_request_of_a_limit_is_used_up_the_next_one_waits_whoever_makes_it()
    {
        var (lastButOne, last) = (ScriptedServer.Json(Commit), ScriptedServer.Json(Commit));
        lastButOne.Headers.TryAddWithoutValidation("RateLimit", "\"api\";r=1;t=300");
        last.Headers.TryAddWithoutValidation("RateLimit", "\"api\";r=0;t=55");
        var server = new ScriptedServer(lastButOne, last, ScriptedServer.Status(HttpStatusCode.NotFound), ScriptedServer.Json(Commit));
        var client = Client(server);
        for (var i = 0; i < 2; i++) Assert.Equal("abc", await AskAsync(client).WaitAsync(TimeSpan.FromMinutes(1)));
        var next = AskAsync(client);

        // Downloads are counted apart.
        await Assert.ThrowsAsync<HubException>(() => client.OpenAsync(HubRepositoryKind.Model, "a/b", "main", "x"));
        await _clock.SleepingAsync(TimeSpan.FromSeconds(55));
        Assert.Equal(3, server.Requests.Count);
        _clock.Advance(TimeSpan.FromSeconds(55));

        Assert.Equal("abc", await next);
    }

    [Fact]
    public async Task A_pause_beyond_the_deadline_is_not_begun_and_the_error_says_when_it_ends()
    {
        var server = new ScriptedServer(ScriptedServer.Status(HttpStatusCode.TooManyRequests, "Retry-After: 301"));
        var failure = await Assert.ThrowsAsync<HubException>(() => AskAsync(Client(server)));
        Assert.Equal(HubErrorKind.RateLimited, failure.Error);
        Assert.Contains("2026-01-15 12:05:01Z", failure.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Pauses_are_drawn_between_nothing_and_a_bound_that_doubles()
    {
        var server = new ScriptedServer(
            [.. Enumerable.Range(0, 4).Select(_ => ScriptedServer.Status(HttpStatusCode.BadGateway)), ScriptedServer.Json(Commit)]);
        var commit = AskAsync(new HubClient(new HttpClient(server), Options, _clock, new Random(3)));
        var draws = new Random(3);
        foreach (var most in new[] { 1, 2, 4, 8 })
        {
            var pause = TimeSpan.FromSeconds(most) * draws.NextDouble();
            // Timers count in milliseconds.
            pause = TimeSpan.FromMilliseconds(Math.Floor(pause.TotalMilliseconds));
            await _clock.SleepingAsync(pause);
            _clock.Advance(pause);
        }
        Assert.Equal("abc", await commit);
    }

    [Fact]
    public async Task A_hub_that_stays_busy_is_given_up_on()
    {
        var server = new ScriptedServer([.. Enumerable.Range(0, 3).Select(_ => ScriptedServer.Status(HttpStatusCode.TooManyRequests))]);
        var client = new HubClient(new HttpClient(server), Options with { FirstDelay = TimeSpan.Zero, Attempts = 3 }, _clock);
        Assert.Equal(HubErrorKind.RateLimited, (await Assert.ThrowsAsync<HubException>(() => AskAsync(client))).Error);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_is_given_up_on_at_the_deadline()
    {
        await using var hub = await SampleHub.StartAsync(
            new HubServerOptions { Rows = 1, Faults = [new FaultRule("*", new StallBeforeAnswerFault())] });
        var client = new HubClient(HubClient.CreateHttpClient(),
            new HubOptions { Endpoint = hub.Url, FirstDelay = TimeSpan.Zero, Deadline = TimeSpan.FromSeconds(90) }, _clock);
        var commit = AskAsync(client);

        await _clock.SleepingAsync(TimeSpan.FromSeconds(60));
        _clock.Advance(TimeSpan.FromSeconds(60));
        await _clock.SleepingAsync(TimeSpan.FromSeconds(30));
        _clock.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(HubErrorKind.Unavailable, (await Assert.ThrowsAsync<HubException>(() => commit)).Error);
    }

    [Theory]
    [InlineData("https://huggingface.co/moved", true)]
    [InlineData("/moved", true)]
    [InlineData("https://huggingface.co:8443/moved", false)]
    [InlineData("https://cdn.example/moved", false)]
    public async Task The_token_follows_a_redirect_only_within_the_endpoint(string location, bool isKept)
    {
        var server = new ScriptedServer(ScriptedServer.Status(HttpStatusCode.Found, $"Location: {location}"), ScriptedServer.Json(Commit));
        await AskAsync(new HubClient(new HttpClient(server), Options with { Token = "hf_secret\n" }));
        Assert.Equal(["Bearer hf_secret", isKept ? "Bearer hf_secret" : null], server.Credentials);
    }

    [Fact]
    public async Task A_redirect_from_https_to_http_is_not_followed()
    {
        var server = new ScriptedServer(ScriptedServer.Status(HttpStatusCode.Found, "Location: http://huggingface.co/moved"));
        var failure = await Assert.ThrowsAsync<HubException>(() => AskAsync(Client(server)));
        Assert.Contains("not safe", failure.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Redirects_without_end_are_not_followed()
    {
        var server = new ScriptedServer(
            [.. Enumerable.Range(0, 6).Select(i => ScriptedServer.Status(HttpStatusCode.Found, $"Location: /moved/{i}"))]);
        await Assert.ThrowsAsync<HubException>(() => AskAsync(Client(server)));
        Assert.Equal(6, server.Requests.Count);
    }

    [Fact]
    public async Task A_download_link_that_has_expired_is_asked_for_again_and_the_token_is_not_blamed()
    {
        HttpResponseMessage Link() => ScriptedServer.Status(HttpStatusCode.Found, "Location: https://cdn.example/signed");
        var server = new ScriptedServer(Link(), ScriptedServer.Status(HttpStatusCode.Forbidden), Link(), ScriptedServer.Json(Commit));
        Assert.Equal("abc", await AskAsync(new HubClient(new HttpClient(server), Options with { FirstDelay = TimeSpan.Zero })));
    }

    private static HubOptions Options { get; } = new();

    private HubClient Client(ScriptedServer server) => new(new HttpClient(server), Options, _clock);

    private static Task<string> AskAsync(HubClient client) => client.GetCommitAsync(HubRepositoryKind.Model, "a/b", "main");
}
