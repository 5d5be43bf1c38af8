using System.Net;
using FunctionsPipeline.FineTuning.Tests;
using FunctionsPipeline.Phi3Vision.Weights;
using FunctionsPipeline.Tests;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Tests.Serving;

[Collection(nameof(ServingCollection))]
public sealed class ModelFollowerTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private ServedModels _models = null!;

    public async Task InitializeAsync() => _models = await ServedModels.CreateAsync(azurite.Blobs, azurite.ConnectionString);

    public async Task DisposeAsync() => await _models.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_request_is_dropped_while_the_model_is_exchanged(bool drain)
    {
        using var http = await _models.StartAsync(options => options with { Drain = drain });
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        var answeredBy = new HashSet<string>();
        using var end = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                var (status, prediction) = await http.PredictAsync(TestImages.Png());
                // Between two models that memory does not hold together there is none.
                if (drain && status == HttpStatusCode.ServiceUnavailable) continue;
                Assert.Equal(HttpStatusCode.OK, status);
                lock (answeredBy) answeredBy.Add(prediction!.Model!);
            }
        })).ToList();
        await _models.PublishAsync("v2");
        await http.ReadyAsync("\"v2\"");
        Assert.Equal("v2", (await http.PredictAsync(TestImages.Png())).Prediction!.Model);
        await end.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal(["v1", "v2"], answeredBy.Order());
    }

    public static TheoryData<bool, string> Damages => new() { { false, "file" }, { false, "weights" }, { true, "file" } };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_model_that_cannot_answer_leaves_the_old_one_serving_and_says_why(bool drain, string what)
    {
        using var http = await _models.StartAsync(options => options with { Drain = drain });
        await _models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");
        await _models.PublishAsync("v2", what == "file" ? CutWeights : WeightsWithoutNumbers);
        var ready = await http.ReadyAsync("Model v2 cannot be used");
        Assert.Contains("\"model\": \"v1\"", ready);
        Assert.Contains(what == "file" ? "model.safetensors" : "no number", ready);
        Assert.Equal("v1", (await http.PredictAsync(TestImages.Png())).Prediction!.Model);
        await _models.PublishAsync("v3");
        Assert.DoesNotContain("cannot be used", await http.ReadyAsync("\"v3\""));
    }

    [Fact]
    public async Task The_cache_keeps_the_model_that_serves_and_the_one_before()
    {
        using var http = await _models.StartAsync();
        foreach (var version in new[] { "v1", "v2", "v3" })
        {
            await _models.PublishAsync(version);
            await http.ReadyAsync($"\"{version}\"");
        }
        string[] Cached() => [.. Directory.GetDirectories(Path.Combine(_models.Cache, "serving"))
            .Select(folder => Path.GetFileName(folder)!.Split('-')[0]).Order()];
        for (var i = 0; i < 100 && Cached().Length > 2; i++) await Task.Delay(50);
        Assert.Equal(["v2", "v3"], Cached());
    }

    [Fact]
    public async Task A_model_serves_on_while_storage_is_away_and_the_next_one_when_it_is_back()
    {
        var port = azurite.Blobs.Uri.Port;
        await using var relay = new TcpRelay(port);
        var connection = azurite.ConnectionString.Replace($":{port}/", $":{relay.Port}/", StringComparison.Ordinal);
        await using var models = await ServedModels.CreateAsync(azurite.Blobs, connection);
        using var http = await models.StartAsync();
        await models.PublishAsync("v1");
        await http.ReadyAsync("\"v1\"");

        await relay.CloseAsync();
        await Task.Delay(TimeSpan.FromSeconds(3));
        await models.PublishAsync("v2");
        Assert.Equal("v1", (await http.PredictAsync(TestImages.Png())).Prediction!.Model);
        Assert.Contains("\"model\": \"v1\"", await http.ReadyAsync(""));

        relay.Open();
        await http.ReadyAsync("\"v2\"");
        Assert.Equal("v2", (await http.PredictAsync(TestImages.Png())).Prediction!.Model);
    }

    private static void CutWeights(string folder)
    {
        using var file = File.OpenWrite(Path.Combine(folder, "model.safetensors"));
        file.SetLength(file.Length / 2);
    }

    private static void WeightsWithoutNumbers(string folder)
    {
        using var scope = torch.NewDisposeScope();
        using var loaded = ModelFolder.Load(folder, torch.CPU, torch.ScalarType.Float32);
        using var noGradients = torch.no_grad();
        foreach (var parameter in loaded.Model.parameters()) parameter.fill_(float.NaN);
        ModelFolder.Save(folder, loaded.Model, SmallModel.Config, SmallModel.Tokenizer);
    }
}
