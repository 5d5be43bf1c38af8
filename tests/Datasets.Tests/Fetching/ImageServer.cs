using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

/// <summary>A web server that answers as a test says, and counts.</summary>
internal sealed class ImageServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentQueue<string> _requests = new();
    private int _now;
    private int _most;

    private ImageServer(WebApplication application) => _application = application;

    public Uri BaseUrl { get; private set; } = null!;

    /// <summary>The paths that were asked for, in their order.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>The most requests that were there at the same time.</summary>
    public int MostAtOnce => _most;

    /// <param name="answer">Gets the number of the request for its path, from 1.</param>
    /// <param name="certificate">Certificate for https; plain http when left out.</param>
    public static async Task<ImageServer> StartAsync(Func<HttpContext, int, Task> answer, X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null) listen.UseHttps(certificate);
        }));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        var server = new ImageServer(builder.Build());
        server._application.Run(context => server.CountAsync(context, answer));
        await server._application.StartAsync();
        server.BaseUrl = new Uri(server._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!
            .Addresses.Single());
        return server;
    }

    /// <summary>A downloader that may fetch from this server, and tries again at once.</summary>
    public ImageDownloader Downloader(IngestionOptions? options = null, TimeProvider? time = null) =>
        new(Allowing(options ?? new IngestionOptions()), time ?? TimeProvider.System);

    public IngestionOptions Allowing(IngestionOptions options) =>
        options with { AllowedHosts = [BaseUrl.Authority, .. options.AllowedHosts], RetryDelay = TimeSpan.FromTicks(1) };

    public string Url(string path = "/a") => new Uri(BaseUrl, path).ToString();

    /// <summary>Downloads a URL, which must fail; returns the failure.</summary>
    public async Task<UnreadableImageException> FailureAsync(IngestionOptions? options = null, string path = "/a")
    {
        using var downloader = Downloader(options);
        return await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(Url(path)));
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private async Task CountAsync(HttpContext context, Func<HttpContext, int, Task> answer)
    {
        var path = context.Request.Path.Value!;
        _requests.Enqueue(path);
        var number = _requests.Count(p => p == path);
        var now = Interlocked.Increment(ref _now);
        for (int most; now > (most = _most);) Interlocked.CompareExchange(ref _most, now, most);
        try
        {
            await answer(context, number);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client went away, which is often the point.
        }
        finally
        {
            Interlocked.Decrement(ref _now);
        }
    }
}
