using System.Net;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.SampleData;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// A hub with the datasets of a folder, the pictures that their addresses lead to, and <see cref="MemoryBlobs"/>, in a process of its own,
/// so that what it costs is not counted.
/// </summary>
internal static class BenchmarkHub
{
    /// <summary>Where in a hub's folder the drawings are.</summary>
    public const string Pictures = "pictures";

    /// <summary>Path of a picture.</summary>
    public static string Picture(int number) => $"/{Pictures}/{number}";

    /// <summary>Starts the process; the folder need not be complete before something is asked for.</summary>
    public static async Task<ChildProcess> StartAsync(string folder, string logFolder, int port)
    {
        var hub = ChildProcess.Start("hub", logFolder, [.. BenchmarkCommand.ThisProgram, BenchmarkCommand.Hub, folder, $"{port}"]);
        await hub.WaitUntilAsync(stop => FreePort.AnswersAsync(port, stop), TimeSpan.FromMinutes(1), CancellationToken.None);
        return hub;
    }

    /// <summary>Serves until the process is ended.</summary>
    public static async Task ServeAsync(string folder, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        await using var application = builder.Build();
        var repositories = new Lazy<HubRepositories>(
            () => new HubRepositories(Directory.GetFiles(folder, "*.parquet").Select(Repository), token: null));
        var pictures = new Lazy<DistinctPictures>(() => DistinctPictures.Open(Path.Combine(folder, Pictures)));
        new HubApi(repositories).Map(application);
        new HubFiles(repositories, cdnHost: null).Map(application);
        new MemoryBlobs().Map(application);
        application.MapGet($"/{Pictures}/{{number:int}}", (HttpContext context, int number) =>
        {
            var picture = pictures.Value[number];
            context.Response.ContentType = "image/jpeg";
            context.Response.ContentLength = picture.Length;
            return context.Response.Body.WriteAsync(picture).AsTask();
        });
        await application.RunAsync();
    }

    private static HubRepository Repository(string file)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        const string path = "default/train/0000.parquet";
        return new HubRepository("datasets", $"benchmarks/{name}", new Dictionary<string, HubSnapshot>
        {
            [HubRepository.Main] = new(HubRepository.CommitOf(name), []),
            [HubRepository.ConvertedParquet] = new(HubRepository.CommitOf(name, "parquet"), [HubFile.Existing(path, file)]),
        })
        {
            Parquet = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>
            {
                ["default"] = new Dictionary<string, IReadOnlyList<string>> { ["train"] = [path] },
            },
        };
    }
}
