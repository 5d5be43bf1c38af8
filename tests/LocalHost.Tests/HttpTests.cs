using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace FunctionsPipeline.LocalHost.Tests;

[Collection(TinyAppFixture.Name)]
public sealed class HttpTests(TinyAppFixture tiny)
{
    private HttpClient Http => tiny.Client.Http;

    [Fact]
    public async Task A_function_is_given_route_and_query() =>
        Assert.Equal("Good morning Ada Lovelace", await Http.GetStringAsync("tiny/greet/Ada%20Lovelace?greeting=Good%20morning"));

    [Fact]
    public async Task Method_body_headers_and_status_pass_through()
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "tiny/echo/42/a/b%20c");
        request.Content = TinyAppClient.Json(new { shirts = 3 });
        request.Headers.Add("x-tiny", "small");
        using var answer = await Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal("small", answer.Headers.GetValues("x-tiny").Single());
        var echo = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("PUT", echo.GetProperty("method").GetString());
        Assert.Equal(42, echo.GetProperty("number").GetInt32());
        Assert.Equal("a/b c", echo.GetProperty("path").GetString());
        Assert.Equal("{\"shirts\":3}", echo.GetProperty("body").GetString());
    }

    [Theory]
    [InlineData("GET", "tiny/nothing", HttpStatusCode.NotFound)]
    [InlineData("GET", "api/greet/Ada", HttpStatusCode.NotFound)]
    [InlineData("PUT", "tiny/echo/many/a", HttpStatusCode.NotFound)]
    [InlineData("POST", "tiny/greet/Ada", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "runtime/webhooks/nothing", HttpStatusCode.NotFound)]
    public async Task What_no_function_serves_is_refused(string method, string url, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), url);
        using var answer = await Http.SendAsync(request);
        Assert.Equal(expected, answer.StatusCode);
    }

    [Fact]
    public async Task A_function_that_throws_answers_500_and_is_logged()
    {
        using var answer = await Http.DeleteAsync("tiny/throws");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Contains(tiny.App.Log, line => line.StartsWith("Error Function.Throws", StringComparison.Ordinal)
            && line.Contains("DELETE is not what it wants", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Requests_do_not_wait_for_each_other()
    {
        var names = Enumerable.Range(0, 100).Select(number => $"guest {number}").ToList();
        var greetings = await Task.WhenAll(names.Select(name => Http.GetStringAsync($"tiny/greet/{name}?greeting=Hi")));
        Assert.Equal(names.Select(name => $"Hi {name}"), greetings);
    }

    [Fact]
    public async Task The_root_lists_the_functions()
    {
        var functions = await Http.GetFromJsonAsync<JsonElement>("/");
        var greet = functions.EnumerateArray().Single(function => function.GetProperty("name").GetString() == "Greet");
        Assert.Equal("httpTrigger", greet.GetProperty("trigger").GetString());
        Assert.Equal("/tiny/greet/{name}", greet.GetProperty("route").GetString());
    }
}
