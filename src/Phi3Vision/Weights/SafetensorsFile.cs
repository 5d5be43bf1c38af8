using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Weights;

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
        _path = path;
        _map = map;
        Entries = entries;
        Metadata = metadata;
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
            // Memory order is file order: TorchSharp's native packages are for little-endian processors only.
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

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Name">Name of the tensor.</param>
/// <param name="Dtype">Element type as written in the file, such as <c>BF16</c>.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Offset">Offset of the first byte in the file.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record SafetensorsEntry(string Name, string Dtype, IReadOnlyList<long> Shape, long Offset, long Bytes);

/// <summary>
/// Element types of the safetensors format (https://github.com/huggingface/safetensors) and the subset that is read and written here.
/// </summary>
internal static class SafetensorsType
{
    /// <summary>Returns the bytes of an element; null for an unknown type or one with several elements per byte.</summary>
    public static int? Size(string dtype) => dtype switch
    {
        "F64" or "I64" or "U64" or "C64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" => 1,
        _ => null,
    };

    /// <summary>True when weights may have the type.</summary>
    public static bool IsWeight(string dtype) => dtype is "F32" or "F16" or "BF16";

    /// <summary>Converts a safetensors type to the library's.</summary>
    /// <exception cref="InvalidDataException">The type is not supported.</exception>
    public static ScalarType Parse(string dtype) => dtype switch
    {
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        "I64" => ScalarType.Int64,
        _ => throw new InvalidDataException($"Tensors of type {dtype} are not read; F32, F16, BF16 and I64 are."),
    };

    /// <summary>Converts the library's type to its safetensors name.</summary>
    /// <exception cref="ArgumentException">The type is not supported.</exception>
    public static string Name(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => "F32",
        ScalarType.Float16 => "F16",
        ScalarType.BFloat16 => "BF16",
        ScalarType.Int64 => "I64",
        _ => throw new ArgumentException($"Tensors of type {dtype} are not written; F32, F16, BF16 and I64 are.", nameof(dtype)),
    };
}

/// <summary>
/// Reads and checks the header of a safetensors file, before anything is allocated for its tensors: eight bytes with the length of a JSON
/// object, the object (name → dtype, shape, data_offsets), then the tensors, which must cover the rest of the file without overlap or
/// hole. Format: https://github.com/huggingface/safetensors#format.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>Maximum length of a header in bytes. A tensor takes about 150 bytes of it, the published checkpoint 100 kB.</summary>
    // The reference implementation accepts up to 100,000,000.
    public const int MaxBytes = 25_000_000;

    private const int MaxDimensions = 8;

    /// <summary>Reads the header from the start of a stream.</summary>
    /// <exception cref="InvalidDataException">The header is damaged or does not fit the file.</exception>
    public static (IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata) Read(Stream stream, string source)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.Length < 8) throw Damaged(source, "it is shorter than a header");
        stream.ReadExactly(prefix);
        // Bytes 0 to 7, unsigned and little-endian. The offsets in the JSON count from the JSON's end.
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxBytes || (long)headerBytes > stream.Length - 8)
        {
            throw Damaged(
                source, $"its header claims {headerBytes} bytes, but the file has {stream.Length} and a header at most {MaxBytes}");
        }
        var json = new byte[headerBytes];
        stream.ReadExactly(json);
        // The format demands '{' as the first byte; blanks may follow the object but not precede it.
        if (json is not [(byte)'{', ..]) throw Damaged(source, "its header is not a JSON object");
        try
        {
            // The format forbids duplicate keys: of two, different readers would take different ones.
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            var entries = new List<SafetensorsEntry>();
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (member.Name != "__metadata__") entries.Add(Entry(member, 8 + (long)headerBytes));
                else foreach (var pair in member.Value.EnumerateObject()) metadata[pair.Name] = pair.Value.GetString() ?? "";
            }
            RequireContiguous(entries, 8 + (long)headerBytes, stream.Length);
            return (entries, metadata);
        }
        catch (Exception error)
            when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw Damaged(source, error.Message, error);
        }
    }

    private static SafetensorsEntry Entry(JsonProperty member, long dataStart)
    {
        var dtype = member.Value.GetProperty("dtype").GetString() ?? "";
        var size = SafetensorsType.Size(dtype) ?? throw new FormatException($"tensor '{member.Name}' has the unknown type '{dtype}'");
        var sides = member.Value.GetProperty("shape");
        if (sides.GetArrayLength() > MaxDimensions)
            throw new FormatException($"tensor '{member.Name}' has {sides.GetArrayLength()} dimensions; {MaxDimensions} at most are read");
        var shape = sides.EnumerateArray().Select(side => side.GetInt64()).ToArray();
        var range = member.Value.GetProperty("data_offsets");
        if (range.GetArrayLength() != 2)
            throw new FormatException($"tensor '{member.Name}' has {range.GetArrayLength()} data_offsets, not 2");
        var (start, end) = (range[0].GetInt64(), range[1].GetInt64());
        if (shape.Any(side => side < 0) || start < 0 || end < start)
            throw new FormatException($"tensor '{member.Name}' has a negative size");
        // Dimensions of 0 count as 1 here, so that an empty tensor cannot hide dimensions whose product overflows.
        var full = shape.Aggregate((long)size, (product, side) => checked(product * Math.Max(side, 1)));
        var bytes = shape.Contains(0) ? 0 : full;
        if (bytes != end - start) throw new FormatException($"tensor '{member.Name}' needs {bytes} bytes, but has {end - start}");
        return new SafetensorsEntry(member.Name, dtype, shape, checked(dataStart + start), bytes);
    }

    private static void RequireContiguous(List<SafetensorsEntry> entries, long dataStart, long fileLength)
    {
        // The format prescribes no order of entries, and forbids holes, where other content could hide. An empty tensor has the offset of
        // the next one and sorts before it.
        var end = dataStart;
        foreach (var entry in entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Bytes))
        {
            if (entry.Offset != end) throw new FormatException($"tensor '{entry.Name}' overlaps another one or leaves a gap");
            end = checked(end + entry.Bytes);
        }
        if (end != fileLength) throw new FormatException($"the tensors end at byte {end}, but the file at byte {fileLength}");
    }

    private static InvalidDataException Damaged(string source, string problem, Exception? cause = null) =>
        new($"'{source}' is not a usable safetensors file: {problem}.", cause);
}

/// <summary>Writes a safetensors file tensor by tensor, so that no tensor needs to be in memory.</summary>
internal static class SafetensorsWriter
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Writes a file under a temporary name and renames it once complete; a failure leaves an existing file unchanged.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="tensors">Name, safetensors type and shape of each tensor, in the order of the file.</param>
    /// <param name="metadata">Metadata besides the customary <c>format: pt</c>.</param>
    /// <param name="writeTensor">Writes the bytes of the tensor at an index, little-endian and row by row.</param>
    /// <exception cref="InvalidOperationException">A tensor's number of bytes does not match its type and shape.</exception>
    public static void Write(
        string path,
        IReadOnlyList<(string Name, string Dtype, IReadOnlyList<long> Shape)> tensors,
        IReadOnlyDictionary<string, string>? metadata,
        Action<Stream, int> writeTensor)
    {
        var (header, ends) = Header(tensors, metadata);
        var part = path + ".part";
        try
        {
            using (var stream = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None, BufferBytes))
            {
                stream.Write(header);
                for (var i = 0; i < tensors.Count; i++)
                {
                    writeTensor(stream, i);
                    if (stream.Position != header.Length + ends[i])
                        throw new InvalidOperationException($"'{tensors[i].Name}' was written with a wrong number of bytes.");
                }
            }
            File.Move(part, path, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    /// <summary>
    /// Makes the header, length and JSON, padded with blanks to a multiple of 8 so that the tensors are aligned when mapped; and each
    /// tensor's end relative to the header's end.
    /// </summary>
    private static (byte[] Header, long[] Ends) Header(
        IReadOnlyList<(string Name, string Dtype, IReadOnlyList<long> Shape)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var notes = new JsonObject { ["format"] = "pt" };
        foreach (var (key, value) in metadata ?? new Dictionary<string, string>()) notes[key] = value;
        var header = new JsonObject { ["__metadata__"] = notes };
        var ends = new long[tensors.Count];
        var offset = 0L;
        for (var i = 0; i < tensors.Count; i++)
        {
            var (name, dtype, shape) = tensors[i];
            ends[i] = offset + shape.Aggregate(1L, (product, side) => checked(product * side)) * SafetensorsType.Size(dtype)!.Value;
            header.Add(name, new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. shape.Select(side => JsonValue.Create(side))]),
                ["data_offsets"] = new JsonArray(offset, ends[i]),
            });
            offset = ends[i];
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var padded = new byte[8 + (json.Length + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(padded, (ulong)padded.Length - 8);
        json.CopyTo(padded, 8);
        return (padded, ends);
    }
}
