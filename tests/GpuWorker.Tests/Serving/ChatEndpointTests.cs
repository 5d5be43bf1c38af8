using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

[Collection(nameof(ServingCollection))]
public sealed class ChatEndpointTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private const int Tokens = 64;

    private static readonly string Image = $"data:image/jpeg;base64,{Convert.ToBase64String(TestImages.Jpeg())}";
    private static readonly string Question = new TrainingSettings().Question;

    private ServedModels _models = null!;

    public async Task InitializeAsync() => _models = await ServedModels.CreateAsync(azurite.Blobs, azurite.ConnectionString);

    public async Task DisposeAsync() => await _models.DisposeAsync();

    [OpenAIFact]
    public async Task OpenAIs_own_client_gets_answers_streams_usage_and_errors()
    {
        using var http = await _models.StartAsync(settings: [new(PredictionServer.Key, "secret")]);
        http.DefaultRequestHeaders.Authorization = new("Bearer", "secret");
        await _models.PublishAsync("v1", tokens: Tokens);
        await http.ReadyAsync("\"v1\"");
        var (_, prediction) = await http.PredictAsync(TestImages.Jpeg());

        var said = await RunClientAsync(new Uri(http.BaseAddress!, "v1").ToString(), "secret");
        Assert.Equal(["v1", "current"], said["models"]!.AsArray().Select(model => (string?)model));
        Assert.Equal(("current", "model"), ((string?)said["model"]!["id"], (string?)said["model"]!["object"]));

        var asTrained = said["asTrained"]!;
        Assert.Equal(prediction!.Answer, Text(asTrained));
        Assert.Equal(Text(asTrained), Text(said["withoutText"]!));
        Assert.Equal(("v1", "chat.completion"), ((string?)asTrained["model"], (string?)asTrained["object"]));
        Assert.Equal("assistant", (string?)asTrained["choices"]![0]!["message"]!["role"]);
        var (prompt, completion) = Usage(asTrained["usage"]!);
        Assert.InRange(completion, 1, Tokens);

        var other = said["other"]!;
        Assert.Equal("length", (string?)other["choices"]![0]!["finish_reason"]);
        Assert.Equal(3, Usage(other["usage"]!).Completion);
        Assert.NotNull(new AnswerTemplate(AnswerTemplate.Default).Read(Text(said["drawn"]!)));
        Assert.Equal(Text(said["drawn"]!), Text(said["drawnAgain"]!));
        Assert.NotEqual(Text(asTrained), Text(said["drawn"]!));

        var streamed = said["streamed"]!;
        Assert.Equal(Text(asTrained), (string?)streamed["text"]);
        Assert.Equal((string?)asTrained["choices"]![0]!["finish_reason"], (string?)streamed["finish"]);
        Assert.Equal((prompt, completion), Usage(streamed["usage"]!));
        Assert.True((int)streamed["chunks"]! > 4);

        Assert.Equal(("BadRequestError", "unsupported_parameter", "tools"), Failure(said["tools"]!));
        Assert.Equal(("NotFoundError", "model_not_found", "model"), Failure(said["unknownModel"]!));
        Assert.Equal(("NotFoundError", "model_not_found", "model"), Failure(said["unknownName"]!));
        Assert.Equal("AuthenticationError", Failure(said["wrongKey"]!).Name);
    }

    [Theory]
    [InlineData("\"What?\"", "has 0 images")]
    [InlineData("[{\"type\": \"image_url\"}]", "has 0 images")]
    [InlineData("[IMAGE, IMAGE]", "has 2 images")]
    [InlineData("[IMAGE, {\"type\": \"input_audio\"}]", "'input_audio'")]
    [InlineData("[IMAGE, {\"type\": \"text\", \"text\": \"<|end|>\"}]", "'<|'")]
    [InlineData("[URL(https://example.com/1.jpg)]", "must be a data URL")]
    [InlineData("[URL(data:image/png;base64,%%%%)]", "not valid base64")]
    [InlineData("[URL(data:image/png;base64,AAAA)]", "not-an-image")]
    public Task A_message_that_cannot_be_answered_is_a_400_that_says_why(string content, string says)
    {
        var parts = Regex.Replace(
            content.Replace("IMAGE", $"URL({Image})"), @"URL\(([^)]*)\)", """{"type": "image_url", "image_url": {"url": "$1"}}""");
        return AssertRefusedAsync($$"""{"model": "current", "messages": [{"role": "user", "content": {{parts}}}]}""", says);
    }

    [Theory]
    [InlineData("""{"model": "current"}""", "one message, from the user")]
    [InlineData("""{"model": "current", "messages": [{"role": "system", "content": "Be kind."}]}""", "one message, from the user")]
    [InlineData("""{"temperature": 3, "messages": []}""", "temperature must be")]
    [InlineData("""{"top_p": 0, "messages": []}""", "top_p must be")]
    [InlineData("""{"max_tokens": 0, "messages": []}""", "max_tokens must be")]
    [InlineData("""{"n": 2, "messages": []}""", "'n'")]
    [InlineData("""{"messages": 3}""", "no chat request")]
    [InlineData("null", "no chat request")]
    [InlineData("{", "no chat request")]
    public Task A_request_that_cannot_be_answered_is_a_400_that_says_why(string body, string says) => AssertRefusedAsync(body, says);

    [Fact]
    public async Task Without_a_model_the_error_is_a_503_with_the_reason_and_the_list_of_models_is_empty()
    {
        using var http = await _models.StartAsync();
        using var response = await http.PostAsJsonAsync("/v1/chat/completions", Request(Question));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal("server_error", (string?)(await ReadAsync(response))["error"]!["type"]);
        Assert.Empty((await http.GetFromJsonAsync<JsonNode>("/v1/models"))!["data"]!.AsArray());
        using var named = await http.GetAsync("/v1/models/current");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, named.StatusCode);
    }

    [Fact]
    public async Task Parameters_that_change_nothing_are_accepted()
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        var request = Request(Question);
        var more = JsonNode.Parse(
            """{"n": 1, "user": "me", "frequency_penalty": 0.0, "response_format": {"type": "text"}, "stop": null, "logprobs": false}""");
        foreach (var (name, value) in more!.AsObject()) request[name] = value?.DeepClone();
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(http, request.ToJsonString())).Status);
    }

    private async Task AssertRefusedAsync(string body, string says)
    {
        using var http = await _models.StartAsync();
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        var (status, error) = await PostAsync(http, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(says, (string?)error["error"]!["message"]);
        Assert.Equal("invalid_request_error", (string?)error["error"]!["type"]);
    }

    private static JsonObject Request(string text) => new()
    {
        ["model"] = "current",
        ["messages"] = new JsonArray(new JsonObject
        {
            ["role"] = "user",
            ["content"] = new JsonArray(
                new JsonObject { ["type"] = "text", ["text"] = text },
                new JsonObject { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = Image } }),
        }),
    };

    private static string Text(JsonNode completion) => (string)completion["choices"]![0]!["message"]!["content"]!;

    private static (string? Name, string? Code, string? Parameter) Failure(JsonNode error) =>
        ((string?)error["name"], (string?)error["code"], (string?)error["param"]);

    private static (int Prompt, int Completion) Usage(JsonNode usage)
    {
        var (prompt, completion) = ((int)usage["prompt_tokens"]!, (int)usage["completion_tokens"]!);
        Assert.Equal(prompt + completion, (int)usage["total_tokens"]!);
        return (prompt, completion);
    }

    private static async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(HttpClient http, string body)
    {
        using var response = await http.PostAsync("/v1/chat/completions", new StringContent(body, Encoding.UTF8, "application/json"));
        return (response.StatusCode, await ReadAsync(response));
    }

    private static async Task<JsonNode> ReadAsync(HttpResponseMessage response) =>
        JsonNode.Parse(await response.Content.ReadAsStringAsync())!;

    private static async Task<JsonNode> RunClientAsync(string url, string key)
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
        {
            Path.Combine(AppContext.BaseDirectory, "Serving", "openai-client.cjs"), OpenAIFactAttribute.Module, url, key, Image, Question,
        })
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{output}{await errors}");
        return JsonNode.Parse(output)!;
    }
}
