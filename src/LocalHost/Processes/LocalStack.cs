namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Runs the complete pipeline on one machine: Azurite, the sample hub, the GPU worker and the Functions host.</summary>
public sealed class LocalStack : IAsyncDisposable
{
    /// <summary>Repository id of the base model that the sample hub serves.</summary>
    public const string BaseModel = "samples/phi-3-vision-tiny";

    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    private readonly List<ChildProcess> _parts = [];

    private LocalStack(LocalStackOptions options) => Options = options;

    public LocalStackOptions Options { get; }

    /// <summary>Connection string of the storage account.</summary>
    public string Storage { get; private set; } = "";

    /// <summary>URL of the hub that datasets and base models come from.</summary>
    public Uri Hub { get; private set; } = null!;

    /// <summary>Base URL of the GPU worker.</summary>
    public Uri Worker { get; private set; } = null!;

    /// <summary>Base URL of the Functions host.</summary>
    public Uri Host { get; private set; } = null!;

    /// <summary>Repository id of the sample hub's dataset: <c>samples/garments</c>, or <c>samples/{name of the image folder}</c>.</summary>
    public string Dataset => $"samples/{(Options.Images is null ? "garments" : new DirectoryInfo(Options.Images).Name)}";

    /// <summary>Starts all processes and returns when they answer. When one does not, the others are stopped again.</summary>
    public static async Task<LocalStack> StartAsync(LocalStackOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        var stack = new LocalStack(options);
        try
        {
            Directory.CreateDirectory(options.StateFolder);
            await stack.StartAzuriteAsync(say, cancellationToken);
            await stack.StartHubAsync(say, cancellationToken);
            await stack.StartWorkerAsync(say, cancellationToken);
            await stack.StartHostAsync(say, cancellationToken);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits for cancellation while all processes run.</summary>
    /// <exception cref="InvalidOperationException">A process ended by itself; the message names it, with the end of its log.</exception>
    public async Task WaitAsync(CancellationToken cancellationToken) =>
        await await Task.WhenAny(_parts.Select(part => part.WatchAsync(cancellationToken)));

    /// <summary>Stops all processes, the last started one first.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts.AsEnumerable().Reverse()) await part.DisposeAsync();
        _parts.Clear();
    }

    private async Task StartAzuriteAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var azurite = AzuriteServices.At(Options.BlobPort);
        var command = azurite.Command(Options.InMemoryStorage ? null : Path.Combine(Options.StateFolder, "storage"));
        // At its end Azurite waits for open connections and saves its memory to disk, which takes longer than a kill; in-memory storage
        // needs neither.
        await StartAsync("azurite", azurite.BlobPort, command, null, cancellationToken, grace: Options.InMemoryStorage ? TimeSpan.Zero : null);
        Storage = azurite.ConnectionString;
        say($"storage       {azurite.BlobEndpoint}");
    }

    private async Task StartHubAsync(Action<string> say, CancellationToken cancellationToken)
    {
        if (Options.Hub is { } hub)
        {
            Hub = hub;
            say($"hub           {hub}");
            return;
        }
        var models = Path.Combine(Options.StateFolder, "models");
        await CreateBaseModelAsync(Path.Combine(models, BaseModel.Split('/')[1]), cancellationToken);
        var port = Port(Options.HubPort);
        List<string> command =
        [
            .. Applications.SampleData, "hub", "--port", $"{port}", .. CatalogArguments(), "--models", models,
            .. Options.HoldBack > 0 ? ["--held-out", Options.HeldOutFolder] : (string[])[],
            .. Options.Faults ? ["--faults"] : (string[])[],
        ];
        await StartAsync("hub", port, command, null, cancellationToken);
        Hub = new Uri($"http://127.0.0.1:{port}");
        say($"sample hub    {Hub} with {Dataset} and {BaseModel}");
    }

    private async Task CreateBaseModelAsync(string folder, CancellationToken cancellationToken)
    {
        if (Directory.Exists(folder)) return;
        var texts = Path.Combine(Options.StateFolder, "texts.txt");
        await File.WriteAllTextAsync(
            texts, await ChildProcess.RunAsync("texts", [.. Applications.SampleData, "texts", .. CatalogArguments()], cancellationToken), cancellationToken);
        await ChildProcess.RunAsync(
            "init",
            [.. Applications.GpuWorker, "init", "--preset", "tiny", "--out", folder, "--texts", texts, "--vocabulary", $"{Options.Vocabulary}"],
            cancellationToken);
    }

    private IEnumerable<string> CatalogArguments() =>
    [
        "--rows", $"{Options.Rows}", "--hold-back", $"{Options.HoldBack}", .. Options.Images is { } images ? ["--images", images] : (string[])[],
    ];

    private async Task StartWorkerAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var port = Port(Options.WorkerPort);
        await StartAsync("worker", port, [.. Applications.GpuWorker, "serve", "--port", $"{port}"], new Dictionary<string, string?>
        {
            ["PipelineStorage"] = Storage,
        }, cancellationToken);
        Worker = new Uri($"http://127.0.0.1:{port}");
        say($"GPU worker    {Worker}");
    }

    private async Task StartHostAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var port = Port(Options.HostPort);
        List<string> command =
        [
            .. Applications.LocalHost, "run", Applications.FunctionApp, "--port", $"{port}",
            .. Options.WaitForDebugger ? ["--wait-for-debugger"] : (string[])[],
        ];
        Host = new Uri($"http://127.0.0.1:{port}");
        using var http = new HttpClient { BaseAddress = Host };
        await StartAsync("host", port, command, Settings(), cancellationToken,
            async stop => (await http.GetStringAsync("admin/host/status", stop)).Contains("Running", StringComparison.Ordinal));
        say($"functions     {Host}");
    }

    private Dictionary<string, string?> Settings()
    {
        var settings = new Dictionary<string, string?>
        {
            ["PipelineStorage"] = Storage,
            ["AzureWebJobsStorage"] = Storage,
            ["HF_ENDPOINT"] = Hub.ToString(),
            ["Worker__Url"] = Worker.ToString(),
            ["GpuWorker__Command"] = string.Join(' ', Applications.GpuWorker.Select(word => $"\"{word}\"")),
            ["GpuJobs__LogFolder"] = Options.LogFolder,
        };
        // Ingestion refuses loopback URLs in datasets, so a loopback hub that serves images must be allowed explicitly.
        if (Hub.IsLoopback)
        {
            settings["Ingestion__AllowedHosts__0"] = $"{Hub.Host}:{Hub.Port}";
            // Loopback hub with a single client: raise the request limit and treat slow answers as hung.
            settings["Ingestion__RequestsPerHost"] = "32";
            settings["Ingestion__ReadTimeout"] = "00:00:05";
        }
        return settings;
    }

    private async Task StartAsync(
        string name, int port, IEnumerable<string> command, IReadOnlyDictionary<string, string?>? environment,
        CancellationToken cancellationToken,
        Func<CancellationToken, Task<bool>>? isReady = null, TimeSpan? grace = null)
    {
        if (await FreePort.AnswersAsync(port, cancellationToken))
            throw new InvalidOperationException($"Port {port}, which {name} needs, is taken: stop what listens there, or choose another port.");
        var process = ChildProcess.Start(name, Options.LogFolder, command, environment, grace);
        _parts.Add(process);
        await process.WaitUntilAsync(
            async stop => await FreePort.AnswersAsync(port, stop) && (isReady is null || await isReady(stop)), StartLimit, cancellationToken);
    }

    private static int Port(int configured) => configured == 0 ? FreePort.Next() : configured;
}
