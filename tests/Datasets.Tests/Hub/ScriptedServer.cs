using System.Net;

namespace FunctionsPipeline.Datasets.Tests.Hub;

/// <summary>Answers requests, in their order, with what a test has written down.</summary>
internal sealed class ScriptedServer(params HttpResponseMessage[] answers) : HttpMessageHandler
{
    private readonly Queue<HttpResponseMessage> _answers = new(answers);

    public List<Uri> Requests { get; } = [];

    /// <summary>The <c>Authorization</c> of each request.</summary>
    public List<string?> Credentials { get; } = [];

    public static HttpResponseMessage Json(string text) => With(HttpStatusCode.OK, text);

    /// <summary>An answer with headers, <c>Name: value</c>.</summary>
    public static HttpResponseMessage Status(HttpStatusCode status, params string[] headers)
    {
        var answer = With(status, "{}");
        foreach (var header in headers) answer.Headers.TryAddWithoutValidation(header.Split(": ")[0], header.Split(": ", 2)[1]);
        return answer;
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests.Add(request.RequestUri!);
        Credentials.Add(request.Headers.Authorization?.ToString());
        return Task.FromResult(_answers.Dequeue());
    }

    private static HttpResponseMessage With(HttpStatusCode status, string text) =>
        new(status) { Content = new StringContent(text, System.Text.Encoding.UTF8, "application/json") };
}
