using System.Text.Json.Nodes;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Runs the complete pipeline on one machine: Azurite, the sample hub, the GPU worker and the Functions host.</summary>
public sealed class LocalStack : IAsyncDisposable
{
    /// <summary>Repository id of the base model that the sample hub serves.</summary>
    public const string BaseModel = "samples/phi-3-vision-tiny";

    private const int BaseModelSeed = 42;

    private static readonly TimeSpan ServedInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Environment variable with the state folder of the stack that a process belongs to.</summary>
    public const string Mark = "PIPELINE_STACK";

    private readonly List<StackPart> _parts = [];
    private readonly HttpClient _http = new();

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

    /// <summary>Starts processes again that end by themselves, on their ports and with their data, until cancellation.</summary>
    /// <param name="say">Receives a line for each end and each start.</param>
    /// <exception cref="InvalidOperationException">A process could not be started again; the message has the end of its log.</exception>
    public async Task KeepRunningAsync(Action<string> say, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> keepers = [.. _parts.Select(part => part.KeepRunningAsync(say, stop.Token))];
        var first = await Task.WhenAny(keepers);
        // No process may be started after this method has ended, as the caller stops those that there are.
        await stop.CancelAsync();
        await Task.WhenAll(keepers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    /// <summary>Stops all processes, the last started one first.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var part in _parts.AsEnumerable().Reverse()) await part.DisposeAsync();
        _parts.Clear();
        _http.Dispose();
    }

    private async Task StartAzuriteAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var azurite = AzuriteServices.At(Options.BlobPort);
        var command = azurite.Command(Options.InMemoryStorage ? null : Path.Combine(Options.StateFolder, "storage"));
        // At its end Azurite waits for open connections and saves its memory to disk, which takes longer than a kill; in-memory storage
        // needs neither.
        TimeSpan? grace = Options.InMemoryStorage ? TimeSpan.Zero : null;
        await StartAsync("azurite", azurite.BlobPort, command, [], cancellationToken, grace: grace);
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
        var baseModel = Path.Combine(models, BaseModel.Split('/')[1]);
        if (!Directory.Exists(baseModel)) await CreateRandomModelAsync(baseModel, BaseModelSeed, cancellationToken);
        var port = Port(Options.HubPort);
        List<string> command =
        [
            .. Applications.SampleData, "hub", "--port", $"{port}", .. CatalogArguments(), "--models", models,
            .. Options.HoldBack > 0 ? ["--held-out", Options.HeldOutFolder] : (string[])[],
            .. Options.Faults ? ["--faults"] : (string[])[],
        ];
        await StartAsync("hub", port, command, [], cancellationToken);
        Hub = new Uri($"http://127.0.0.1:{port}");
        say($"sample hub    {Hub} with {Dataset} and {BaseModel}");
    }

    /// <summary>Creates a tiny model with random weights and a tokenizer for the sample hub's dataset.</summary>
    /// <param name="seed">Seed of the weights.</param>
    public async Task CreateRandomModelAsync(string folder, int seed, CancellationToken cancellationToken)
    {
        var texts = Path.Combine(Options.StateFolder, "texts.txt");
        if (!File.Exists(texts))
        {
            var content = await ChildProcess.RunAsync(
                "texts", [.. Applications.SampleData, "texts", .. CatalogArguments()], cancellationToken);
            await File.WriteAllTextAsync(texts, content, cancellationToken);
        }
        List<string> command =
        [
            .. Applications.GpuWorker, "init", "--preset", "tiny", "--out", folder, "--texts", texts,
            "--vocabulary", $"{Options.Vocabulary}", "--seed", $"{seed}",
        ];
        await ChildProcess.RunAsync("init", command, cancellationToken);
    }

    /// <summary>Waits until the worker answers with a model: it has loaded a model some seconds after its publication.</summary>
    public async Task WaitUntilServedAsync(string version, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = Worker };
        while (true)
        {
            using var response = await http.GetAsync("readyz", cancellationToken);
            var answer = await response.Content.ReadAsStringAsync(cancellationToken);
            if (response.IsSuccessStatusCode && JsonNode.Parse(answer)?["model"]?.GetValue<string>() == version) return;
            await Task.Delay(ServedInterval, cancellationToken);
        }
    }

    private IEnumerable<string> CatalogArguments() =>
    [
        "--rows", $"{Options.Rows}", "--hold-back", $"{Options.HoldBack}",
        .. Options.Images is { } images ? ["--images", images] : (string[])[],
    ];

    private async Task StartWorkerAsync(Action<string> say, CancellationToken cancellationToken)
    {
        var port = Port(Options.WorkerPort);
        await StartAsync(
            "worker", port, [.. Applications.GpuWorker, "serve", "--port", $"{port}", "--cache", Options.ModelCache],
            new Dictionary<string, string?> { ["PipelineStorage"] = Storage }, cancellationToken);
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
        await StartAsync("host", port, command, Settings(), cancellationToken, IsRunningAsync);
        say($"functions     {Host}");
    }

    private async Task<bool> IsRunningAsync(CancellationToken cancellationToken)
    {
        try
        {
            var status = await _http.GetStringAsync(new Uri(Host, "admin/host/status"), cancellationToken);
            return status.Contains("Running", StringComparison.Ordinal);
        }
        catch (HttpRequestException)
        {
            // The host has ended since it listened.
            return false;
        }
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
            ["GpuJobs__CacheFolder"] = Options.TrainingCache,
        };
        if (Hub.IsLoopback)
            foreach (var (name, value) in SettingsFor(Hub, Environment.GetEnvironmentVariable)) settings[name] = value;
        foreach (var (name, value) in Options.Settings) settings[name] = value;
        return settings;
    }

    /// <summary>Makes the settings that ingestion needs for a hub of this machine; none replaces one that the user has set.</summary>
    /// <param name="variable">Returns the value of an environment variable; null for none.</param>
    internal static Dictionary<string, string> SettingsFor(Uri hub, Func<string, string?> variable)
    {
        const string AllowedHosts = "Ingestion__AllowedHosts__";
        var place = 0;
        while (variable($"{AllowedHosts}{place}") is not null) place++;
        var settings = new Dictionary<string, string>
        {
            // Ingestion refuses loopback URLs in datasets, so a loopback hub that serves images must be allowed explicitly.
            [$"{AllowedHosts}{place}"] = $"{hub.Host}:{hub.Port}",
            // Loopback hub with a single client: raise the request limit and treat slow answers as hung.
            ["Ingestion__RequestsPerHost"] = "32",
            ["Ingestion__ReadTimeout"] = "00:00:05",
        };
        return settings.Where(setting => variable(setting.Key) is null).ToDictionary();
    }

    private async Task StartAsync(
        string name, int port, IEnumerable<string> command, Dictionary<string, string?> environment, CancellationToken cancellationToken,
        Func<CancellationToken, Task<bool>>? isReady = null, TimeSpan? grace = null)
    {
        environment[Mark] = Options.StateFolder;
        // Threads of libtorch that spin while they wait take the cores from the other processes of the stack.
        environment["OMP_WAIT_POLICY"] = "passive";
        var part = new StackPart(
            name, port, () => ChildProcess.Start(name, Options.LogFolder, command, environment, grace), TimeProvider.System, isReady);
        _parts.Add(part);
        await part.StartAsync(cancellationToken);
    }

    private static int Port(int configured) => configured == 0 ? FreePort.Next() : configured;
}

/// <summary>Options of a local stack: ports, folders and sample data.</summary>
public sealed record LocalStackOptions
{
    /// <summary>Folder for storage, models and logs.</summary>
    public required string StateFolder { get; init; }

    /// <summary>TCP port of the Functions host; 0 takes a free one. The same holds for the other ports.</summary>
    public int HostPort { get; init; }

    /// <summary>TCP port of the GPU worker.</summary>
    public int WorkerPort { get; init; }

    /// <summary>TCP port of the sample hub.</summary>
    public int HubPort { get; init; }

    /// <summary>TCP port of Azurite's blob service; its queue and table services use the next two.</summary>
    public int BlobPort { get; init; }

    /// <summary>True to keep blobs in memory only, so that they are gone when Azurite stops.</summary>
    public bool InMemoryStorage { get; init; }

    /// <summary>URL of a Hugging Face hub to use instead of the sample hub; null for the sample hub.</summary>
    public Uri? Hub { get; init; }

    /// <summary>Number of rows that the sample hub serves.</summary>
    public int Rows { get; init; } = 600;

    /// <summary>Folder of images, <c>{split}/{label}/*.jpg</c>, that the sample hub serves instead of drawn garments.</summary>
    public string? Images { get; init; }

    /// <summary>True to have the sample hub fail some requests, as real servers do.</summary>
    public bool Faults { get; init; }

    /// <summary>More settings of the Functions app, as environment variables: <c>Predictions__Patience</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>True to have the Functions worker wait until a debugger is attached.</summary>
    public bool WaitForDebugger { get; init; }

    /// <summary>Number of images that the sample hub keeps out of every split and writes to <see cref="HeldOutFolder"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>Vocabulary size of the tiny base model's tokenizer.</summary>
    public int Vocabulary { get; init; } = 512;

    /// <summary>Folder with the images that are in no split, and <c>truth.jsonl</c>.</summary>
    public string HeldOutFolder => Path.Combine(StateFolder, "held-out");

    /// <summary>Folder of the GPU worker's models; its own, as a worker removes those that it no longer serves.</summary>
    public string ModelCache => Path.Combine(StateFolder, "cache");

    /// <summary>Folder of the base models and shards that training jobs download.</summary>
    public string TrainingCache => Path.Combine(StateFolder, "training");

    /// <summary>Folder with the log files of all processes.</summary>
    public string LogFolder => Path.Combine(StateFolder, "logs");
}

/// <summary>Azurite's three services on loopback ports: the command that starts them and the connection string of their account.</summary>
public sealed record AzuriteServices(int BlobPort, int QueuePort, int TablePort)
{
    // Azurite's published account, the same on every machine.
    private const string Account = "devstoreaccount1";
    private const string AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// <summary>URL of the blob service.</summary>
    public string BlobEndpoint => Endpoint(BlobPort);

    /// <summary>Connection string with all three endpoints.</summary>
    public string ConnectionString =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={AccountKey};" +
        $"BlobEndpoint={BlobEndpoint};QueueEndpoint={Endpoint(QueuePort)};TableEndpoint={Endpoint(TablePort)};";

    /// <summary>Chooses the ports.</summary>
    /// <param name="blobPort">Port of the blob service; queues and tables have the next two. 0 takes three free ones.</param>
    public static AzuriteServices At(int blobPort)
    {
        int[] ports = blobPort == 0 ? FreePort.Next(3) : [blobPort, blobPort + 1, blobPort + 2];
        return new AzuriteServices(ports[0], ports[1], ports[2]);
    }

    /// <summary>Command line of Azurite on these ports.</summary>
    /// <param name="folder">Folder that keeps the data; null keeps it in memory.</param>
    /// <exception cref="FileNotFoundException">Azurite is not installed.</exception>
    public IReadOnlyList<string> Command(string? folder) =>
    [
        Applications.Azurite,
        "--blobHost", "127.0.0.1", "--blobPort", $"{BlobPort}",
        "--queueHost", "127.0.0.1", "--queuePort", $"{QueuePort}",
        "--tableHost", "127.0.0.1", "--tablePort", $"{TablePort}",
        "--silent", "--skipApiVersionCheck", "--disableTelemetry",
        .. folder is null ? ["--inMemoryPersistence"] : (string[])["--location", folder],
    ];

    private static string Endpoint(int port) => $"http://127.0.0.1:{port}/{Account}";
}
