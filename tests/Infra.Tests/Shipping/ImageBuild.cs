using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>
/// Carries out a Dockerfile where no container engine runs: the root of every stage is a folder, the base images are left out, and the
/// commands run on this machine with their absolute paths moved into that folder.
/// </summary>
internal sealed partial class ImageBuild : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly IReadOnlyDictionary<string, string> _arguments;

    /// <param name="arguments">Values of <c>ARG</c> that differ from those in the file.</param>
    public ImageBuild(IReadOnlyDictionary<string, string> arguments)
    {
        _arguments = arguments;
        // The image's user has to reach it.
        _folder.Open();
    }

    /// <summary>Carries out all stages but the last.</summary>
    public async Task BuildAsync(Dockerfile file)
    {
        foreach (var stage in file.Stages.SkipLast(1)) await RunAsync(stage, Path.Combine(_folder.Path, stage[0].Values[^1]));
    }

    /// <summary>Carries out the last stage and makes its files read-only.</summary>
    /// <param name="file">The file whose other stages are built.</param>
    /// <param name="name">Name of the folder of the image.</param>
    public async Task<Image> AssembleAsync(Dockerfile file, string name = "image")
    {
        var root = Path.Combine(_folder.Path, name);
        var (layers, workingDirectory) = await RunAsync(file.Image, root);
        (await Command.RunAsync("chmod", ["-R", "a-w,a+rX", root])).Succeeded();
        return new(root, layers, workingDirectory, [.. Words(file, "ENTRYPOINT")], [.. Words(file, "CMD")]);
    }

    public void Dispose()
    {
        Command.RunAsync("chmod", ["-R", "u+w", _folder.Path]).GetAwaiter().GetResult();
        _folder.Dispose();
    }

    private async Task<(IReadOnlyList<IReadOnlyList<string>> Layers, string WorkingDirectory)> RunAsync(
        IReadOnlyList<Instruction> stage, string root)
    {
        Directory.CreateDirectory(root);
        List<IReadOnlyList<string>> layers = [];
        var (folder, environment) = (root, Command.BuildEnvironment());
        // Set by a pipeline, it would ask for the packages of packages.lock.json, which the image has others than.
        environment.Remove("CI");
        // The build of the tests has analyzed the same sources.
        environment["RunAnalyzers"] = "false";
        foreach (var instruction in stage)
        {
            switch (instruction.Name)
            {
                case "ARG":
                    var argument = instruction.Arguments.Split('=');
                    environment[argument[0]] = _arguments.GetValueOrDefault(argument[0], argument.ElementAtOrDefault(1) ?? "");
                    break;
                case "WORKDIR":
                    folder = Directory.CreateDirectory(root + instruction.Arguments).FullName;
                    break;
                case "RUN":
                    var script = AbsolutePath().Replace(instruction.Arguments, $"{root}/");
                    (await Command.RunAsync("bash", ["-euc", script], folder, environment)).Succeeded();
                    break;
                case "COPY":
                    layers.Add(await CopyAsync(instruction, root, folder));
                    break;
            }
        }
        return (layers, folder);
    }

    private async Task<IReadOnlyList<string>> CopyAsync(Instruction copy, string root, string folder)
    {
        var (source, target) = (copy.Values[0], copy.Values[1]);
        var into = target.StartsWith('/') ? root + target : Path.Combine(folder, target);
        var (from, files) = copy.Flags is [var flag]
            ? (Path.Combine(_folder.Path, flag["--from=".Length..]) + source, null)
            : (Path.Combine(Repository.Root, source), BuildContext.Files());
        if (!Path.Exists(from)) throw new InvalidDataException($"COPY {copy.Arguments}: {source} is not there");
        files ??= [.. Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(from, file))];
        using var list = new TemporaryFolder();
        Directory.CreateDirectory(into);
        // tar keeps times and modes, as Docker does.
        (await Command.RunAsync(
            "bash", ["-euc", $"tar -C '{from}' -c -T '{list.Write("files", string.Join('\n', files))}' | tar -C '{into}' -x"])).Succeeded();
        return [.. files.Select(file => Path.GetRelativePath(root, Path.GetFullPath(Path.Combine(into, file))))];
    }

    private static IEnumerable<string> Words(Dockerfile file, string name) =>
        System.Text.Json.JsonSerializer.Deserialize<string[]>(file.Image.Last(instruction => instruction.Name == name).Arguments)!;

    [GeneratedRegex(@"(?<=[\s=])/(?=[a-z])")]
    private static partial Regex AbsolutePath();
}

/// <summary>An assembled image.</summary>
/// <param name="Root">Folder that is the root of its file system.</param>
/// <param name="Layers">Files of each layer above the base image.</param>
/// <param name="WorkingDirectory">Full path of the folder that it starts in.</param>
/// <param name="EntryPoint">Program and its first arguments.</param>
/// <param name="DefaultArguments">Arguments when none are given.</param>
internal sealed record Image(
    string Root, IReadOnlyList<IReadOnlyList<string>> Layers, string WorkingDirectory, IReadOnlyList<string> EntryPoint,
    IReadOnlyList<string> DefaultArguments);
