using System.Net;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests;

/// <summary>A host that others can reach.</summary>
public sealed class KeyTests(KeyTests.OpenHost open) : IClassFixture<KeyTests.OpenHost>
{
    [Theory]
    [InlineData("POST", "tiny/echo/1/a", HttpStatusCode.Accepted)]
    [InlineData("GET", "admin/host/status", HttpStatusCode.OK)]
    [InlineData("POST", "admin/functions/Nobody", HttpStatusCode.NotFound)]
    [InlineData("GET", "runtime/webhooks/durabletask/instances", HttpStatusCode.OK)]
    public async Task What_is_not_for_everyone_asks_for_the_key(string method, string url, HttpStatusCode expected)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(method, url, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(method, url, "guessed"));
        Assert.Equal(expected, await SendAsync(method, url, open.App.Host.Key));
        Assert.Equal(expected, await SendAsync(method, $"{url}?code={open.App.Host.Key}", null));
    }

    [Fact]
    public async Task An_anonymous_function_asks_for_none() =>
        Assert.Equal(HttpStatusCode.OK, await SendAsync("GET", "tiny/greet/Ada", null));

    [Fact]
    public async Task The_urls_of_an_orchestration_bring_the_key_with_them() =>
        Assert.Equal("Hello Ada", (await open.App.Client.RunAsync("Hello", "Ada")).Result<string>());

    private async Task<HttpStatusCode> SendAsync(string method, string url, string? key)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), url);
        if (method == "POST") request.Content = TinyAppClient.Json(new { input = "" });
        if (key is not null) request.Headers.Add("x-functions-key", key);
        using var answer = await open.App.Client.Http.SendAsync(request);
        return answer.StatusCode;
    }

    public sealed class OpenHost : IAsyncLifetime
    {
        private readonly AzuriteFixture _azurite = new();

        public TinyAppHost App { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            await _azurite.InitializeAsync();
            App = await TinyAppHost.StartAsync(_azurite.ConnectionString, IPAddress.Any);
        }

        public async Task DisposeAsync()
        {
            await App.DisposeAsync();
            await _azurite.DisposeAsync();
        }
    }
}
