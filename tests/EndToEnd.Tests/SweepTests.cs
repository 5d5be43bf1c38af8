using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>A sweep on the sample catalog: through HTTP, Azurite and the real worker, one job after another.</summary>
public sealed class SweepTests : IDisposable
{
    private const double GoodRate = 2e-3;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly string _folder = Directory.CreateTempSubdirectory("sweep-e2e-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_sweep_of_four_runs_ends_and_publishes_the_best()
    {
        using var limit = new CancellationTokenSource(Limit);
        await using var stack = await LocalStack.StartAsync(
            new LocalStackOptions { StateFolder = _folder, InMemoryStorage = true, Rows = 40 }, _ => { }, limit.Token);
        using var http = new HttpClient { BaseAddress = stack.Host };
        using (var accepted = await http.PostAsJsonAsync("api/sweeps", Request(stack), PipelineJson.Options, limit.Token))
            Assert.True(accepted.StatusCode == HttpStatusCode.Accepted, await accepted.Content.ReadAsStringAsync(limit.Token));

        var sweep = await EndedAsync(http, limit.Token);
        Assert.True(sweep.RuntimeStatus == "Completed", $"{sweep.RuntimeStatus}: {sweep.Error}");
        var runs = sweep.Runs!;
        Assert.Equal(["lr.01", "lr.02", "lr.03", "lr.04"], runs.Select(run => run.Run));
        Assert.All(runs, run => Assert.True(run.RuntimeStatus == "Completed", $"{run.Run}: {run.Error}"));
        Assert.Equal([1, 2, 3, 4], runs.Select(run => run.Rank!.Value).Order());
        // The rate of 1e-9 leaves the random weights as they are.
        Assert.All(runs.Where(run => run.Rank <= 2), run => Assert.Equal(GoodRate, run.Settings["learningRate"].GetDouble()));

        var best = runs.Single(run => run.Rank == 1);
        Assert.Equal((best.Run, best.ValidationLoss, true), (sweep.Outcome!.Best, sweep.Outcome.ValidationLoss, sweep.Outcome.Published));
        var current = await http.GetFromJsonAsync<CurrentModel>("api/models/current", PipelineJson.Options, limit.Token);
        Assert.Equal(best.Run, current!.Version);

        var list = await http.GetFromJsonAsync<RunPage>("api/runs", PipelineJson.Options, limit.Token);
        Assert.Equal(["lr.04", "lr.03", "lr.02", "lr.01"], list!.Runs.Select(run => run.Run));
        var container = new BlobServiceClient(stack.Storage).GetBlobContainerClient(Containers.Runs);
        foreach (var run in runs)
        {
            var view = await http.GetFromJsonAsync<RunView>($"api/runs/{run.Run}", PipelineJson.Options, limit.Token);
            Assert.Equal(run.ValidationLoss, view!.Outcome!.Result.FineTuned?.Loss ?? view.Outcome.Result.Pruned!.ValidationLoss);
            Assert.NotEmpty(await http.GetStringAsync($"api/runs/{run.Run}/metrics", limit.Token));
            Assert.NotEmpty(container.GetBlobs(new GetBlobsOptions { Prefix = new RunBlobs(run.Run).Events }, limit.Token));
        }
    }

    private static SweepRequest Request(LocalStack stack) => new()
    {
        Sweep = "lr",
        Run = new RunRequest
        {
            Dataset = new DatasetRequest
            {
                Repo = stack.Dataset,
                Columns = new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" },
                TestFraction = 0,
            },
            BaseModel = new BaseModelRequest { Repo = LocalStack.BaseModel },
            Training = new TrainingSettings
            {
                MaxSteps = 4,
                BatchSize = 4,
                NumCrops = 1,
                EvaluateEvery = 2,
                EvaluationSamples = 1,
                GallerySamples = 0,
                MaxAnswerTokens = 4,
            },
        },
        Space = new Dictionary<string, SearchValues>
        {
            ["learningRate"] = new() { Values = [Json(1e-9), Json(GoodRate)] },
            ["warmupSteps"] = new() { Values = [Json(0), Json(2)] },
        },
    };

    private static JsonElement Json<T>(T value) => JsonSerializer.SerializeToElement(value);

    private static async Task<SweepView> EndedAsync(HttpClient http, CancellationToken cancellationToken)
    {
        while (true)
        {
            var view = await http.GetFromJsonAsync<SweepView>("api/sweeps/lr", PipelineJson.Options, cancellationToken);
            if (view!.RuntimeStatus is not ("Pending" or "Running")) return view;
            await Task.Delay(500, cancellationToken);
        }
    }
}
