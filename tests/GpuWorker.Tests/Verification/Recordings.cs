using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Tests.Verification;

/// <summary>The recordings beside the tests, and changed copies of them.</summary>
internal static class Recordings
{
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Fixtures");

    /// <summary>Copies a recording of a model, with one tensor changed.</summary>
    public static string Changed(string name, string target, string tensor, Func<Tensor, Tensor> change) =>
        Rewritten(name, target, tensors => [.. tensors.Select(pair => pair.Name == tensor ? (pair.Name, change(pair.Tensor)) : pair)]);

    /// <summary>Copies a recording of a model, with a tensor more.</summary>
    public static string With(string name, string target, string tensor, Tensor value) =>
        Rewritten(name, target, tensors => [.. tensors, (tensor, value)]);

    private static string Rewritten(
        string name, string target, Func<IReadOnlyList<(string Name, Tensor Tensor)>, IReadOnlyList<(string, Tensor)>> change)
    {
        using var scope = NewDisposeScope();
        var source = Path.Combine(Folder, name);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        var path = Path.Combine(target, "io.safetensors");
        IReadOnlyList<(string, Tensor)> tensors;
        using (var file = SafetensorsFile.Open(path))
            tensors = change([.. file.Entries.Select(entry => (entry.Name, file.Read(entry.Name)))]);
        SafetensorsFile.Write(path, tensors);
        return target;
    }
}
