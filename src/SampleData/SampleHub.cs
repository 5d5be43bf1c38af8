using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.SampleData;

/// <summary>A local Hugging Face-compatible hub: one dataset, and any number of models.</summary>
public sealed class SampleHub : IAsyncDisposable
{
    public const int DefaultRows = 800;

    private readonly WebApplication _application;
    private readonly FaultInjection _faults;
    private readonly string _files;
    private readonly RequestLog _requests = new();

    private SampleHub(WebApplication application, string files, HubServerOptions options)
    {
        _application = application;
        _faults = new FaultInjection(options.Faults, options.Seed);
        _files = files;
        Dataset = options.Images is null ? GarmentsDataset.Id : $"samples/{ModelRepositories.RepositoryName(options.Images)}";
    }

    /// <summary>URL of the hub, for <c>HF_ENDPOINT</c>.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>Requests answered so far; empty unless <see cref="HubServerOptions.LogRequests"/> is set.</summary>
    public IReadOnlyCollection<ServedRequest> Requests => _requests.Requests;

    /// <summary>Repository id of the served dataset.</summary>
    public string Dataset { get; }

    /// <summary>Faults injected so far, as listed by <c>GET /faults</c>.</summary>
    public IReadOnlyList<FaultCount> InjectedFaults => _faults.Injected;

    /// <summary>Starts a hub and writes the held-out images; the hub accepts requests when this method returns.</summary>
    /// <exception cref="InvalidDataException">The options name a folder that cannot be served.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<SampleHub> StartAsync(HubServerOptions options, CancellationToken cancellationToken = default)
    {
        Validate(options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, options.Port));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        // The caller controls the hub's lifetime; ConsoleLifetime would install its own handlers for Ctrl+C and SIGTERM.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        var hub = new SampleHub(builder.Build(), Directory.CreateTempSubdirectory("sample-hub-").FullName, options);
        try
        {
            await hub.StartAsync(options, hub._application, cancellationToken);
            return hub;
        }
        catch
        {
            await hub.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        Directory.Delete(_files, recursive: true);
    }

    private async Task StartAsync(HubServerOptions options, WebApplication application, CancellationToken cancellationToken)
    {
        // The catalog's image URLs contain the port, which is known only after the start; so routes are mapped before it and repositories
        // created on the first request.
        var catalog = new GarmentCatalog(options.Seed);
        var images = options.Images is null ? null : ImageFolder.Open(options.Images, options.Rows, options.HoldBack, options.Seed);
        var models = options.Models is null ? [] : ModelRepositories.Open(options.Models);
        var rows = options.Rows ?? DefaultRows;
        var repositories = new Lazy<RepositoryLookup>(() => new RepositoryLookup(
            models.Prepend(images is null
                ? GarmentsDataset.Create(catalog, rows, new Uri(Url, CatalogImages.Path), _files)
                : ImageFolderDataset.Create(Dataset, images, _files)),
            options.Token));
        if (options.LogRequests) _requests.Map(application);
        _faults.Map(application);
        new HubApi(repositories).Map(application);
        new HubDownloads(repositories, options.CdnHost).Map(application);
        if (images is null) new CatalogImages(catalog).Map(application);
        await application.StartAsync(cancellationToken);
        Url = new Uri(application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        if (options.HeldOut is null) return;
        if (images is null) HeldOutSet.Write(catalog, rows, options.HoldBack, options.HeldOut);
        else HeldOutSet.Write(images, options.HeldOut);
    }

    private static void Validate(HubServerOptions options)
    {
        if (options.Rows is < 1) throw new InvalidDataException("--rows must be at least 1");
        if (options.HoldBack < 0) throw new InvalidDataException("--hold-back must be 0 or more");
        if (options.HoldBack > 0 != options.HeldOut is not null) throw new InvalidDataException("--hold-back and --held-out go together");
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>Options of a <see cref="SampleHub"/>.</summary>
public sealed record HubServerOptions
{
    /// <summary>Port on 127.0.0.1; 0 selects a free one.</summary>
    public int Port { get; init; }

    /// <summary>Total number of rows. When left out, 800 of the synthetic catalog, or all images of a folder.</summary>
    public int? Rows { get; init; }

    /// <summary>
    /// Folder of images, <c>{split}/{label}/*.jpg</c> or <c>{label}/*.jpg</c>, to serve instead of the synthetic catalog.
    /// </summary>
    public string? Images { get; init; }

    /// <summary>Folder of model folders, each served as <c>samples/{folder}</c>.</summary>
    public string? Models { get; init; }

    /// <summary>Seed of the drawn images and of the selection from a folder.</summary>
    public int Seed { get; init; }

    /// <summary>Number of images held out of every split and written to <see cref="HeldOut"/>.</summary>
    public int HoldBack { get; init; }

    /// <summary>Folder that held-out images are written to, with their labels in <c>truth.jsonl</c>.</summary>
    public string? HeldOut { get; init; }

    /// <summary>
    /// Host name of the CDN URLs that <c>resolve</c> redirects to, to imitate the real Hub's separate CDN host; the hub's own host when
    /// left out.
    /// </summary>
    public string? CdnHost { get; init; }

    /// <summary>True to record every request in <see cref="SampleHub.Requests"/>.</summary>
    public bool LogRequests { get; init; }

    /// <summary>Bearer token required to access the repositories; no token is required when null.</summary>
    public string? Token { get; init; }

    /// <summary>Rules of the faults to inject, for all paths that the hub serves.</summary>
    public IReadOnlyList<FaultRule> Faults { get; init; } = [];
}

/// <summary>Writes the held-out images, which are in no split, and their labels to <c>truth.jsonl</c>.</summary>
public static class HeldOutSet
{
    public const string TruthFile = "truth.jsonl";

    /// <summary>Draws products beyond the catalog's last row.</summary>
    public static void Write(GarmentCatalog catalog, int rows, int count, string folder) =>
        Write(folder, Enumerable.Range(rows, count).Select(catalog.WithoutDefect).Select(row =>
            (new Truth($"{row.ProductCode}.jpg", row.Garment.Title, row.Garment.Category, row.Garment.Price), catalog.Jpeg(row))));

    /// <summary>Copies the images held out of the splits.</summary>
    public static void Write(ImageFolder images, string folder) =>
        Write(folder, images.HeldOut.Select(image =>
            // Folders may have files of the same name.
            (new Truth(image.Path.Replace('/', '-'), null, image.Label, null), File.ReadAllBytes(images.FullPath(image)))));

    private static void Write(string folder, IEnumerable<(Truth Truth, byte[] Image)> images)
    {
        Directory.CreateDirectory(folder);
        var lines = new List<string>();
        foreach (var (truth, image) in images)
        {
            File.WriteAllBytes(Path.Combine(folder, truth.File), image);
            lines.Add(JsonSerializer.Serialize(truth, PipelineJson.Compact));
        }
        File.WriteAllLines(Path.Combine(folder, TruthFile), lines);
    }
}

/// <summary>Labels of a held-out image: a line of <c>truth.jsonl</c>.</summary>
public sealed record Truth(string File, string? Title, string? Category, double? Price);

/// <summary>Records the requests that a hub answered.</summary>
internal sealed class RequestLog
{
    private readonly ConcurrentQueue<ServedRequest> _requests = new();

    public IReadOnlyCollection<ServedRequest> Requests => _requests;

    public void Map(IApplicationBuilder application) => application.Use(async (context, next) =>
    {
        try
        {
            await next(context);
        }
        finally
        {
            _requests.Enqueue(new ServedRequest(context.Request.Path, context.Response.StatusCode, context.Response.ContentLength ?? 0));
        }
    });
}

/// <summary>A request that a hub answered.</summary>
/// <param name="Bytes">Content-Length of the response; 0 when it has none.</param>
public sealed record ServedRequest(string Path, int Status, long Bytes);
