using System.Net;
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
        Dataset = options.Images is null ? GarmentsDataset.Id : $"samples/{ModelFolders.RepositoryName(options.Images)}";
    }

    /// <summary>URL of the hub, for <c>HF_ENDPOINT</c>.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Requests answered so far; empty unless <see cref="HubServerOptions.LogRequests"/> is set.</summary>
    public IReadOnlyCollection<ServedRequest> Requests => _requests.Requests;

    /// <summary>Repository id of the served dataset.</summary>
    public string Dataset { get; }

    /// <summary>Faults injected so far, as listed by <c>GET /faults</c>.</summary>
    public IReadOnlyList<InjectedFault> InjectedFaults => _faults.Injected;

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
        var models = options.Models is null ? [] : ModelFolders.Open(options.Models);
        var rows = options.Rows ?? DefaultRows;
        var repositories = new Lazy<HubRepositories>(() => new HubRepositories(
            models.Prepend(images is null
                ? GarmentsDataset.Create(catalog, rows, new Uri(Address, CatalogPictures.Path), _files)
                : ImageFolderDataset.Create(Dataset, images, _files)),
            options.Token));
        if (options.LogRequests) _requests.Map(application);
        _faults.Map(application);
        new HubApi(repositories).Map(application);
        new HubFiles(repositories, options.CdnHost).Map(application);
        if (images is null) new CatalogPictures(catalog).Map(application);
        await application.StartAsync(cancellationToken);
        Address = new Uri(application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        if (options.HeldOut is null) return;
        if (images is null) HeldOutPictures.Write(catalog, rows, options.HoldBack, options.HeldOut);
        else HeldOutPictures.Write(images, options.HeldOut);
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
