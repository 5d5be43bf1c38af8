using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Playwright;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>
/// The stack that <c>up</c> starts, with a past that fills every view: two runs that ended, one that failed, and uploads that were
/// answered, rejected, and failed because no model was there in time. Beside it a browser.
/// </summary>
public sealed class DashboardFixture : IAsyncLifetime
{
    /// <summary>The run whose model serves.</summary>
    public const string FirstRun = "garments";

    /// <summary>A run like <see cref="FirstRun"/> with a lower learning rate and an adapter.</summary>
    public const string SecondRun = "garments-lora";

    /// <summary>A run that no sample is short enough for.</summary>
    public const string FailedRun = "too-short";

    /// <summary>Folder of uploads that ran out of patience before the first model was published.</summary>
    public const string EarlyUploads = "early";

    /// <summary>Folder of the screenshots; null when there are to be none.</summary>
    public static readonly string? Screenshots = Environment.GetEnvironmentVariable("PIPELINE_SCREENSHOTS");

    /// <summary>Steps of <see cref="FirstRun"/>; pictures show a model that has learned something.</summary>
    public static readonly int Steps = Screenshots is null ? 40 : 240;

    private static readonly int Rows = Screenshots is null ? 200 : 400;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    // Ends long before the first model is published.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("dashboard-").FullName;
    private LocalStack? _stack;
    private IPlaywright? _playwright;

    public LocalStack Stack => _stack!;

    public IBrowser Browser { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    public PipelineClient Client { get; private set; } = null!;

    public BlobServiceClient Blobs { get; private set; } = null!;

    /// <summary>Images that are in no split.</summary>
    public IReadOnlyList<HeldOutImage> Images { get; private set; } = [];

    public async Task InitializeAsync()
    {
        if (Chromium.Executable is null) return;
        using var limit = new CancellationTokenSource(Limit);
        var browser = StartBrowserAsync();
        _stack = await LocalStack.StartAsync(
            new LocalStackOptions
            {
                StateFolder = _folder,
                InMemoryStorage = true,
                Rows = Rows,
                HoldBack = 8,
                Settings = new Dictionary<string, string> { ["Predictions__Patience"] = $"{Patience}" },
            },
            _ => { }, limit.Token);
        Http = new HttpClient { BaseAddress = _stack.Host };
        Blobs = new BlobServiceClient(_stack.Storage);
        Client = new PipelineClient(Http, Blobs);
        Images = HeldOutImage.Load(_stack.Options.HeldOutFolder);
        await MakePastAsync(limit.Token);
        await browser;
    }

    public async Task DisposeAsync()
    {
        if (Browser is not null) await Browser.DisposeAsync();
        _playwright?.Dispose();
        Http?.Dispose();
        if (_stack is not null) await _stack.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A run on the sample catalog with the tiny model, which takes seconds.</summary>
    public RunRequest Request(string run) => new()
    {
        Run = run,
        Dataset = new DatasetRequest
        {
            Repo = Stack.Dataset,
            Columns = new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" },
        },
        BaseModel = new BaseModelRequest { Repo = LocalStack.BaseModel },
        Training = new TrainingSettings
        {
            MaxSteps = Steps,
            Epochs = 100,
            BatchSize = Screenshots is null ? 4 : 8,
            LearningRate = 2e-3,
            WarmupSteps = Steps / 5,
            NumCrops = 1,
            EvaluateEvery = Steps / 5,
            EvaluationSamples = Screenshots is null ? 12 : 24,
            GallerySamples = Screenshots is null ? 3 : 6,
            MaxAnswerTokens = 40,
        },
    };

    /// <summary>Has somebody visit a place of the dashboard.</summary>
    /// <param name="place">Place after the <c>#</c> of the URL.</param>
    internal Task VisitAsync(string place, Func<Visit, Task> look) => Visit.ToAsync(Browser, Stack.Host, place, look);

    /// <summary>Starts a run and cancels it at once: a test gives it documents of its own.</summary>
    internal async Task StartCancelledRunAsync(string run)
    {
        await Client.StartRunAsync(Request(run), CancellationToken.None);
        using var cancelled = await Http.PostAsync($"api/runs/{run}/cancel", null);
        cancelled.EnsureSuccessStatusCode();
    }

    /// <summary>Path of an image that is in no split.</summary>
    public string PathOf(HeldOutImage image) => Path.Combine(Stack.Options.HeldOutFolder, image.File);

    private async Task StartBrowserAsync()
    {
        // A machine that runs other tests beside these is slow.
        Assertions.SetDefaultExpectTimeout(30_000);
        _playwright = await Playwright.CreateAsync();
        // The tests' user may be root, for whom Chromium has no sandbox.
        Browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions { ExecutablePath = Chromium.Executable, Args = ["--no-sandbox"] });
    }

    private async Task MakePastAsync(CancellationToken cancellationToken)
    {
        foreach (var image in Images.Take(2)) await UploadAsync($"{EarlyUploads}/{image.File}", image, cancellationToken);
        await RunAsync(Request(FirstRun), cancellationToken);
        // Loading a model takes seconds: more than the readings' patience.
        await Stack.WaitUntilServedAsync(FirstRun, cancellationToken);
        foreach (var image in Images.Skip(2)) await UploadAsync($"new/{image.File}", image, cancellationToken);
        await Client.UploadAsync("new/readme.jpg", new MemoryStream("This is no image."u8.ToArray()), cancellationToken);
        var request = Request(FailedRun);
        await RunAsync(request with { Training = request.Training with { MaxTokens = 10 } }, cancellationToken);
        request = Request(SecondRun);
        await RunAsync(
            request with
            {
                Publish = false,
                Training = request.Training with { Method = FineTuningMethod.Lora, MaxSteps = Steps / 2, EvaluationSamples = 8 },
            },
            cancellationToken);
    }

    private async Task UploadAsync(string name, HeldOutImage image, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(PathOf(image));
        await Client.UploadAsync(name, file, cancellationToken);
    }

    private async Task RunAsync(RunRequest request, CancellationToken cancellationToken)
    {
        await Client.StartRunAsync(request, cancellationToken);
        await foreach (var _ in Client.FollowAsync(request.Run!, cancellationToken))
        {
        }
    }
}

/// <summary>The tests that share the stack, one after another.</summary>
[CollectionDefinition(nameof(DashboardCollection))]
public sealed class DashboardCollection : ICollectionFixture<DashboardFixture>;
