using System.Net;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Tests;
using Microsoft.Extensions.DependencyInjection;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

[Collection(nameof(ServingCollection))]
public sealed class BatchLoopTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private ServedModels _models = null!;

    public async Task InitializeAsync() => _models = await ServedModels.CreateAsync(azurite.Blobs, azurite.ConnectionString);

    public async Task DisposeAsync() => await _models.DisposeAsync();

    [Fact]
    public async Task Images_get_the_same_answers_together_and_alone()
    {
        await _models.PublishAsync("v1", tokens: 12);
        // Of different shapes, so that prompts have different lengths.
        var images = Enumerable.Range(0, 8).Select(i => Noise(i, 100 + 40 * i, 140)).ToList();
        using var together = await _models.StartAsync(options => options with { BatchWait = TimeSpan.FromSeconds(10) });
        await together.ReadyAsync("\"v1\"");
        var batched = await Task.WhenAll(images.Select(image => together.PredictAsync(image)));
        // One batch of eight: it was full before its ten seconds were over.
        foreach (var sample in new[] { @"^pipeline_serving_batch(_\w+)?_sum\S* 8\b", @"^pipeline_serving_batch(_\w+)?_count\S* 1\b" })
            await together.UntilAsync("/metrics", page => Regex.IsMatch(page, sample, RegexOptions.Multiline));

        using var alone = await _models.StartAsync(options => options with { Batch = 1 });
        await alone.ReadyAsync("\"v1\"");
        foreach (var (image, (_, answer)) in images.Zip(batched))
        {
            var (_, expected) = await alone.PredictAsync(image);
            Assert.Equal(expected!.Answer, answer!.Answer);
            Assert.Equal(expected.Confidence!.Answer, answer.Confidence!.Answer, 1e-4);
        }
    }

    [Fact]
    public async Task What_is_no_image_is_rejected_among_others_that_are_answered()
    {
        await _models.PublishAsync("v1");
        using var http = await _models.StartAsync();
        await http.ReadyAsync("\"v1\"");
        var jpeg = TestImages.Jpeg();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => http.PredictAsync(i == 3 ? jpeg[..(jpeg.Length / 2)] : jpeg)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal([3], Enumerable.Range(0, 8).Where(i => answers[i].Prediction!.Status == PredictionStatus.Rejected));
    }

    [Fact]
    public async Task An_image_that_the_model_cannot_take_fails_alone()
    {
        await _models.PublishAsync("v1");
        var options = new ServingOptions { Endpoint = new IPEndPoint(IPAddress.Loopback, 0), Cache = _models.Cache };
        await using var server = PredictionServer.Create(options, [new("PipelineStorage", azurite.ConnectionString)]);
        var batches = server.Services.GetRequiredService<BatchLoop>();
        await server.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(server.Urls.First()) };
        await http.ReadyAsync("\"v1\"");
        using var model = server.Services.GetRequiredService<ModelFollower>().Lease()!;
        var good = model.Predictor.Prepare(TestImages.Png());
        var bad = new PreparedImage(good.Fitted, [.. good.Prompt, 1 << 20]);
        var answers = new[] { good, bad, good }.Select(image => batches.AnswerAsync(model.Predictor, image, default)).ToArray();
        await Assert.ThrowsAnyAsync<Exception>(() => answers[1]);
        Assert.Equal((await answers[0]).Text, (await answers[2]).Text);
        await server.StopAsync();
    }

    private static byte[] Noise(int seed, int width, int height)
    {
        var random = new Random(seed);
        using var image = new Image<Rgb24>(width, height);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++) image[x, y] = new Rgb24((byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256));
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }
}
