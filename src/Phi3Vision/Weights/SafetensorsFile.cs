using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>A safetensors file: tensors by name. Types F32, F16, BF16 and I64.</summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly Dictionary<string, SafetensorsEntry> _entries;

    private SafetensorsFile(FileStream stream, IReadOnlyList<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        (_stream, Entries, Metadata) = (stream, entries, metadata);
        _entries = entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>What is in the file, in its order.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The file's own notes.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header; the tensors are read later.</summary>
    /// <exception cref="InvalidDataException">The header is damaged or does not fit the file.</exception>
    public static SafetensorsFile Open(string path)
    {
        var stream = File.OpenRead(path);
        try
        {
            var (entries, metadata) = SafetensorsHeader.Read(stream, path);
            return new SafetensorsFile(stream, entries, metadata);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Writes tensors to a file, which is replaced once it is complete.</summary>
    /// <exception cref="ArgumentException">A tensor's type is not supported.</exception>
    public static void Write(string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var header = Header(tensors, metadata);
        var part = path + ".part";
        using (var stream = File.Create(part))
        {
            Span<byte> prefix = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
            stream.Write(prefix);
            stream.Write(header);
            foreach (var (_, tensor) in tensors)
            {
                using var scope = NewDisposeScope();
                stream.Write(tensor.detach().cpu().contiguous().bytes);
            }
        }
        File.Move(part, path, overwrite: true);
    }

    /// <summary>Reads a tensor, on the CPU and in its own type.</summary>
    /// <exception cref="KeyNotFoundException">There is none of that name.</exception>
    public Tensor Read(string name)
    {
        if (!_entries.TryGetValue(name, out var entry)) throw new KeyNotFoundException($"'{_stream.Name}' has no tensor '{name}'.");
        var tensor = torch.empty([.. entry.Shape], dtype: TypeOf(entry.Dtype));
        if (entry.Bytes == 0) return tensor;
        lock (_stream)
        {
            _stream.Position = entry.Offset;
            _stream.ReadExactly(tensor.bytes);
        }
        return tensor;
    }

    /// <inheritdoc />
    public void Dispose() => _stream.Dispose();

    private static byte[] Header(IReadOnlyList<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var notes = new JsonObject { ["format"] = "pt" };
        foreach (var (key, value) in metadata ?? new Dictionary<string, string>()) notes[key] = value;
        var header = new JsonObject { ["__metadata__"] = notes };
        var offset = 0L;
        foreach (var (name, tensor) in tensors)
        {
            var dtype = NameOf(tensor.dtype);
            var end = offset + tensor.NumberOfElements * SafetensorsHeader.ElementSize(dtype)!.Value;
            header.Add(name, new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. tensor.shape.Select(side => JsonValue.Create(side))]),
                ["data_offsets"] = new JsonArray(offset, end),
            });
            offset = end;
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        // Blanks bring the tensors to a multiple of 8 bytes, so that others can map the file into memory.
        var padded = new byte[(json.Length + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        json.CopyTo(padded, 0);
        return padded;
    }

    private static ScalarType TypeOf(string dtype) => dtype switch
    {
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        "I64" => ScalarType.Int64,
        _ => throw new InvalidOperationException(dtype),
    };

    private static string NameOf(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => "F32",
        ScalarType.Float16 => "F16",
        ScalarType.BFloat16 => "BF16",
        ScalarType.Int64 => "I64",
        _ => throw new ArgumentException($"Tensors of type {dtype} are not written; F32, F16, BF16 and I64 are.", nameof(dtype)),
    };
}
