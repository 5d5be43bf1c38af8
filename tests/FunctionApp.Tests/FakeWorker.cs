using System.Net;
using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>A GPU worker that answers as a test says.</summary>
internal sealed class FakeWorker(Func<PredictRequest, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    public List<PredictRequest> Requests { get; } = [];

    public PredictionClient Client => new(new HttpClient(this) { BaseAddress = new Uri("http://worker.test") });

    public static FakeWorker Answering(HttpStatusCode status) =>
        new(_ => Task.FromResult(new HttpResponseMessage(status) { Content = new StringContent("said the worker") }));

    public static HttpResponseMessage Ok(PredictionDocument prediction) =>
        new(HttpStatusCode.OK) { Content = JsonContent.Create(prediction, options: PipelineJson.Options) };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Assert.Equal(HttpMethod.Post, request.Method);
        Assert.Equal("/predict", request.RequestUri!.AbsolutePath);
        var asked = (await request.Content!.ReadFromJsonAsync<PredictRequest>(PipelineJson.Options, cancellationToken))!;
        Requests.Add(asked);
        return await answer(asked);
    }
}
