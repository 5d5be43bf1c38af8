using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>The whole pipeline on free ports, with one short run behind it, for all tests that need no pipeline of their own.</summary>
public sealed class PipelineFixture : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly string _folder = Directory.CreateTempSubdirectory("pipeline-e2e-").FullName;
    private LocalStack? _stack;

    public const int Rows = 120;

    public LocalStack Stack => _stack!;

    public HttpClient Http { get; private set; } = null!;

    public BlobServiceClient Blobs { get; private set; } = null!;

    public PipelineClient Client { get; private set; } = null!;

    /// <summary>The run in its last state.</summary>
    public RunView Run { get; private set; } = null!;

    /// <summary>The phases that the run's status went through.</summary>
    public List<RunPhase> Phases { get; } = [];

    public async Task InitializeAsync()
    {
        using var limit = new CancellationTokenSource(Limit);
        _stack = await LocalStack.StartAsync(
            new LocalStackOptions { StateFolder = _folder, InMemoryStorage = true, Rows = Rows, HoldBack = 2 }, _ => { }, limit.Token);
        Http = new HttpClient { BaseAddress = _stack.Host };
        Blobs = new BlobServiceClient(_stack.Storage);
        Client = new PipelineClient(Http, Blobs);
        await Client.StartRunAsync(Request(), limit.Token);
        await foreach (var view in Client.FollowAsync("short", limit.Token))
        {
            Run = view;
            if (view.Status is { } status && (Phases.Count == 0 || Phases[^1] != status.Phase)) Phases.Add(status.Phase);
        }
    }

    public async Task DisposeAsync()
    {
        Http?.Dispose();
        if (_stack is not null) await _stack.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public RunRequest Request() => new()
    {
        Run = "short",
        Dataset = new DatasetRequest
        {
            Repo = Stack.Dataset,
            Columns = new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" },
        },
        BaseModel = new BaseModelRequest { Repo = LocalStack.BaseModel },
        Training = new TrainingSettings
        {
            MaxSteps = 6,
            BatchSize = 4,
            LearningRate = 1e-3,
            WarmupSteps = 2,
            NumCrops = 1,
            EvaluateEvery = 3,
            EvaluationSamples = 3,
            MaxAnswerTokens = 16,
        },
    };
}

/// <summary>The tests that share the pipeline, one after another.</summary>
[CollectionDefinition(nameof(PipelineCollection))]
public sealed class PipelineCollection : ICollectionFixture<PipelineFixture>;
