using System.Buffers.Binary;
using System.Text.Json;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Dtype">As written in the file, such as <c>BF16</c>.</param>
/// <param name="Offset">First byte in the file.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record SafetensorsEntry(string Name, string Dtype, IReadOnlyList<long> Shape, long Offset, long Bytes);

/// <summary>Reads and checks the header of a safetensors file, before anything is allocated for its tensors.</summary>
internal static class SafetensorsHeader
{
    private const int MaxHeaderBytes = 100_000_000;

    /// <summary>Reads the header from the start of a stream.</summary>
    /// <exception cref="InvalidDataException">The header is damaged or lies about the file.</exception>
    public static (IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata) Read(Stream stream, string source)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.Length < 8) throw Damaged(source, "it is shorter than a header");
        stream.ReadExactly(prefix);
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxHeaderBytes || (long)headerBytes > stream.Length - 8)
            throw Damaged(source, $"its header claims {headerBytes} bytes, but the file has {stream.Length} and a header at most {MaxHeaderBytes}");
        var json = new byte[headerBytes];
        stream.ReadExactly(json);
        try
        {
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
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw Damaged(source, error.Message, error);
        }
    }

    /// <summary>Bytes of one element; null for a type that is not supported.</summary>
    public static int? ElementSize(string dtype) => dtype switch { "I64" => 8, "F32" => 4, "F16" or "BF16" => 2, _ => null };

    private static SafetensorsEntry Entry(JsonProperty member, long dataStart)
    {
        var dtype = member.Value.GetProperty("dtype").GetString() ?? "";
        var size = ElementSize(dtype) ?? throw new FormatException($"tensor '{member.Name}' has type '{dtype}'; F32, F16, BF16 and I64 can be read");
        var shape = member.Value.GetProperty("shape").EnumerateArray().Select(side => side.GetInt64()).ToArray();
        var offsets = member.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt64()).ToArray();
        if (shape.Any(side => side < 0) || offsets is not [>= 0, >= 0] || offsets[1] < offsets[0]) throw new FormatException($"tensor '{member.Name}' has a negative size");
        var bytes = checked(shape.Aggregate(1L, (product, side) => checked(product * side)) * size);
        if (bytes != offsets[1] - offsets[0]) throw new FormatException($"tensor '{member.Name}' needs {bytes} bytes, but has {offsets[1] - offsets[0]}");
        return new SafetensorsEntry(member.Name, dtype, shape, checked(dataStart + offsets[0]), bytes);
    }

    private static void RequireContiguous(List<SafetensorsEntry> entries, long dataStart, long fileLength)
    {
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
