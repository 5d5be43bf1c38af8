using System.IO.MemoryMappedFiles;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// A safetensors file: tensors of types F32, F16, BF16 and I64 by name. The file is mapped into memory one window at a time, so that
/// reading takes the tensor's memory plus one window. The file must not shrink while it is open: on Linux, a read past its end kills the
/// process (SIGBUS).
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private const int WindowBytes = 8 << 20;
    private readonly string _path;
    private readonly MemoryMappedFile _map;
    private readonly Dictionary<string, SafetensorsEntry> _entries;

    private SafetensorsFile(
        string path, MemoryMappedFile map, IReadOnlyList<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        (_path, _map, Entries, Metadata) = (path, map, entries, metadata);
        _entries = entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>Entries of the header, in the order of the file.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>Values of the header's <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header; the tensors are read later.</summary>
    /// <exception cref="InvalidDataException">The header is damaged or does not fit the file.</exception>
    public static SafetensorsFile Open(string path)
    {
        var stream = File.OpenRead(path);
        try
        {
            var (entries, metadata) = SafetensorsHeader.Read(stream, path);
            var map = MemoryMappedFile.CreateFromFile(
                stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new SafetensorsFile(path, map, entries, metadata);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Writes tensors to a file; an existing file is replaced once the new one is complete.</summary>
    /// <exception cref="ArgumentException">A tensor's type is not supported.</exception>
    public static void Write(
        string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var described = tensors
            .Select(pair => (pair.Name, SafetensorsType.Name(pair.Tensor.dtype), (IReadOnlyList<long>)pair.Tensor.shape)).ToList();
        SafetensorsWriter.Write(path, described, metadata, (stream, i) =>
        {
            using var scope = NewDisposeScope();
            stream.Write(tensors[i].Tensor.detach().cpu().contiguous().bytes);
        });
    }

    /// <summary>Reads a tensor to the CPU in the type of the file.</summary>
    /// <exception cref="KeyNotFoundException">The file has no tensor of that name.</exception>
    /// <exception cref="InvalidDataException">The tensor's type is not supported.</exception>
    public Tensor Read(string name)
    {
        var entry = Entry(name);
        var tensor = torch.empty([.. entry.Shape], dtype: SafetensorsType.Parse(entry.Dtype));
        CopyTo(name, tensor);
        return tensor;
    }

    /// <summary>
    /// Copies all tensors of the file into existing ones. Nothing is copied unless each tensor of the file has a target of its name and
    /// shape, and each target a tensor.
    /// </summary>
    /// <param name="targets">Contiguous tensors on any device.</param>
    /// <param name="exact">True to require equal types; otherwise floating-point types are converted.</param>
    /// <exception cref="InvalidDataException">Tensors do not fit; the message lists every mismatch.</exception>
    public void CopyTo(IReadOnlyCollection<(string Name, Tensor Tensor)> targets, bool exact)
    {
        var problems = targets.Select(target => Mismatch(target.Name, target.Tensor, exact)).OfType<string>().ToList();
        problems.AddRange(_entries.Keys.Except(targets.Select(target => target.Name)).Select(name => $"{name}: has no place"));
        if (problems.Count > 0) throw new InvalidDataException($"'{_path}' does not fit:\n  {string.Join("\n  ", problems)}");
        foreach (var (name, tensor) in targets) CopyTo(name, tensor);
    }

    /// <summary>
    /// Copies a tensor into an existing one on any device and of any type: directly where the target has the file's type and is on the CPU,
    /// otherwise through a staging window of the file's type.
    /// </summary>
    /// <param name="name">Name of the tensor in the file.</param>
    /// <param name="target">A contiguous tensor with the same number of elements.</param>
    /// <exception cref="KeyNotFoundException">The file has no tensor of that name.</exception>
    /// <exception cref="ArgumentException">The target has another number of elements, or is not contiguous.</exception>
    /// <exception cref="InvalidDataException">The tensor's type is not supported.</exception>
    internal void CopyTo(string name, Tensor target)
    {
        var entry = Entry(name);
        var dtype = SafetensorsType.Parse(entry.Dtype);
        var size = SafetensorsType.Size(entry.Dtype)!.Value;
        var count = entry.Bytes / size;
        if (target.numel() != count || !target.is_contiguous())
            throw new ArgumentException($"'{name}' has {count} elements and needs as many, in order, to be copied to.", nameof(target));
        using var scope = NewDisposeScope();
        using var untracked = torch.no_grad();
        var flat = target.detach().view(-1);
        var window = Math.Min(count, WindowBytes / size);
        var staging = target.device_type == DeviceType.CPU && target.dtype == dtype ? null : torch.empty(window, dtype: dtype);
        for (var start = 0L; start < count; start += window)
        {
            using var step = NewDisposeScope();
            var length = Math.Min(window, count - start);
            var part = flat.narrow(0, start, length);
            var read = staging?.narrow(0, 0, length) ?? part;
            // The view is disposed at once: mapped pages of the file count as the process's resident memory.
            using (var view = _map.CreateViewStream(entry.Offset + start * size, length * size, MemoryMappedFileAccess.Read))
                view.ReadExactly(read.bytes);
            if (staging is not null) part.copy_(read);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _map.Dispose();

    private string? Mismatch(string name, Tensor target, bool exact)
    {
        if (!_entries.TryGetValue(name, out var entry)) return $"{name}: missing";
        if (!entry.Shape.SequenceEqual(target.shape))
            return $"{name}: is [{string.Join(", ", entry.Shape)}], but must be [{string.Join(", ", target.shape)}]";
        var dtype = SafetensorsType.Name(target.dtype);
        if (entry.Dtype == dtype || !exact && SafetensorsType.IsWeight(entry.Dtype) && SafetensorsType.IsWeight(dtype)) return null;
        return $"{name}: is {entry.Dtype}, but must be {dtype}";
    }

    private SafetensorsEntry Entry(string name) =>
        _entries.TryGetValue(name, out var entry) ? entry : throw new KeyNotFoundException($"'{_path}' has no tensor '{name}'.");
}
