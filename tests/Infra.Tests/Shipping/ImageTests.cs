using System.Diagnostics;
using System.Net;
using System.Text.Json;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>
/// The image of the GPU worker, built as <c>infra/Dockerfile</c> says but with torch for the CPU, in a bare folder: another user, files
/// that nobody may write, and no variables but those of the image.
/// </summary>
public sealed class ImageTests(ImageFixture fixture) : IClassFixture<ImageFixture>, IDisposable
{
    // The user of Microsoft's images.
    private const string AppUser = "1654";

    // A PNG.
    private const string RedSquare =
        "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsEty/aMYywi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQ"
        + "EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLKp0DxvxLbjwAAAABJRU5ErkJggg==";

    private readonly TemporaryFolder _temporary = new();

    private Image Image => fixture.Image;

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void Torch_is_a_layer_of_its_own()
    {
        Assert.All(["libtorch_cpu.so", "libc10.so", "libLibTorchSharp.so"], library => Assert.Contains(Image.Layers[0], IsNamed(library)));
        Assert.All(["libtorch", "libc10", "LibTorchSharp"], library => Assert.DoesNotContain(
            Image.Layers[1], file => Path.GetFileName(file).Contains(library, StringComparison.Ordinal) && !file.EndsWith(".xml")));
        Assert.DoesNotContain(Image.Layers[0], file => file.EndsWith(".dll", StringComparison.Ordinal) || IsNamed("libSkiaSharp.so")(file));
        Assert.Contains("app/FunctionsPipeline.GpuWorker.dll", Image.Layers[1]);
    }

    [Fact]
    public void The_layer_of_torch_is_the_same_when_torch_is() => Assert.All(
        Image.Layers[0].Append("app/runtimes"),
        file => Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(Path.Combine(fixture.Build, "torch", file))));

    [Fact]
    public void There_are_no_weights_and_no_settings_of_this_machine()
    {
        Assert.DoesNotContain(Image.Layers.SelectMany(layer => layer), file => file.EndsWith(".safetensors", StringComparison.Ordinal));
        Assert.DoesNotContain(BuildContext.Files(), file => Path.GetFileName(file) == "local.settings.json");
        var large = Image.Layers[1].Where(file => new FileInfo(Path.Combine(Image.Root, file)).Length > 30_000_000);
        Assert.Empty(large);
    }

    [Fact]
    public async Task A_source_that_is_not_there_is_found()
    {
        var text = Dockerfile.Read().Text.Replace("/publish/ /app/", "/published/ /app/", StringComparison.Ordinal);
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => fixture.Builder.AssembleAsync(Dockerfile.Parse(text), "mutant"));
        Assert.Contains("/published/ is not there", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_makes_a_model_and_reads_an_image_with_it()
    {
        Assert.Contains("serve", (await RunAsync([.. Image.DefaultArguments])).Succeeded(), StringComparison.Ordinal);

        var model = Path.Combine(Writable(), "model");
        (await RunAsync("init", "--out", model, "--vocabulary", "320")).Succeeded();
        Assert.Contains("parameters", (await RunAsync("inspect", model)).Succeeded(), StringComparison.OrdinalIgnoreCase);

        var image = Path.Combine(Writable(), "a.png");
        File.WriteAllBytes(image, Convert.FromBase64String(RedSquare));
        var answer = (await RunAsync("predict", "--model", model, image, "--max-tokens", "4", "--json")).Succeeded();
        Assert.NotEmpty(JsonDocument.Parse(answer).RootElement.GetProperty("tokens").EnumerateArray());
    }

    [Fact]
    public async Task It_serves_with_nothing_but_its_own_files_and_ends_when_asked()
    {
        using var process = Start("serve", "--port", "0");
        try
        {
            var url = await UrlAsync(process);
            using var client = new HttpClient();
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"{url}/livez")).StatusCode);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync($"{url}/readyz")).StatusCode);

            var mapped = File.ReadLines($"/proc/{process.Id}/maps")
                .Select(line => line.IndexOf('/') is >= 0 and var path ? line[path..] : "").ToHashSet();
            Assert.Contains(mapped, file => file == Path.Combine(Image.WorkingDirectory, "runtimes/linux-x64/native/libtorch_cpu.so"));
            Assert.DoesNotContain(mapped, file => file.StartsWith(Repository.Root, StringComparison.Ordinal) || file.Contains("/.nuget/"));

            (await Command.RunAsync("kill", ["-TERM", $"{process.Id}"])).Succeeded();
            await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(1)).Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task With_CUDA_the_packages_are_those_of_CUDA_alone()
    {
        var packages = await PackagesAsync("cuda");
        Assert.Contains("TorchSharp-cuda-linux", packages);
        Assert.DoesNotContain(packages, package => package.StartsWith("libtorch-cpu", StringComparison.Ordinal));
        Assert.Contains("libtorch-cpu-linux-x64", await PackagesAsync("cpu"));
    }

    private static async Task<IReadOnlyList<string>> PackagesAsync(string torch)
    {
        var answer = (await Command.RunAsync(
            "dotnet", ["msbuild", Path.Combine(Repository.Root, "src", "Phi3Vision"), $"-p:Torch={torch}", "-getItem:PackageReference"]))
            .Succeeded();
        return [.. JsonDocument.Parse(answer).RootElement.GetProperty("Items").GetProperty("PackageReference").EnumerateArray()
            .Select(package => package.GetProperty("Identity").GetString()!)];
    }

    private static async Task<string> UrlAsync(Process process)
    {
        const string Announcement = "worker listening on ";
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (await process.StandardOutput.ReadLineAsync(timeout.Token) is { } line)
        {
            if (!line.StartsWith(Announcement, StringComparison.Ordinal)) continue;
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return line[Announcement.Length..];
        }
        throw new InvalidOperationException(await process.StandardError.ReadToEndAsync(timeout.Token));
    }

    private async Task<Command> RunAsync(params string[] arguments)
    {
        var (program, all) = Line(arguments);
        return await Command.RunAsync(program, all, Image.WorkingDirectory, Variables());
    }

    private Process Start(params string[] arguments)
    {
        var (program, all) = Line(arguments);
        return Command.Start(program, all, Image.WorkingDirectory, Variables());
    }

    // Root may become the image's user; others run it as they are.
    private (string Program, IReadOnlyList<string> Arguments) Line(string[] arguments) => Environment.UserName == "root"
        ? ("setpriv", ["--reuid", AppUser, "--regid", AppUser, "--clear-groups", "--", .. Image.EntryPoint, .. arguments])
        : (Image.EntryPoint[0], [.. Image.EntryPoint.Skip(1), .. arguments]);

    private Dictionary<string, string> Variables() => new()
    {
        ["PATH"] = Environment.GetEnvironmentVariable("PATH")!,
        ["HOME"] = "/home/app",
        ["TMPDIR"] = Writable(),
        ["PipelineStorage"] = "UseDevelopmentStorage=true",
    };

    private string Writable()
    {
        _temporary.Open();
        return _temporary.Path;
    }

    private static Predicate<string> IsNamed(string name) => file => Path.GetFileName(file) == name;

}

/// <summary>The image, built once for all tests of it.</summary>
public sealed class ImageFixture : IAsyncLifetime
{
    internal ImageBuild Builder { get; } = new(new Dictionary<string, string> { ["TORCH"] = "cpu" });

    internal Image Image { get; private set; } = null!;

    /// <summary>Root of the build stage.</summary>
    internal string Build => Path.Combine(Path.GetDirectoryName(Image.Root)!, "build");

    public async Task InitializeAsync()
    {
        await Builder.BuildAsync(Dockerfile.Read());
        Image = await Builder.AssembleAsync(Dockerfile.Read());
    }

    public Task DisposeAsync()
    {
        Builder.Dispose();
        return Task.CompletedTask;
    }
}
