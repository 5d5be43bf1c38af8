using System.Buffers.Binary;
using System.Text.Json;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Reads and checks the header of a safetensors file, before anything is allocated for its tensors: eight bytes with the length of a JSON
/// object, the object (name → dtype, shape, data_offsets), then the tensors, which must cover the rest of the file without overlap or hole.
/// Format: https://github.com/huggingface/safetensors#format.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>Maximum length of a header in bytes. A tensor takes about 150 bytes of it, the published checkpoint 100 kB.</summary>
    public const int MaxBytes = 25_000_000;

    private const int MaxDimensions = 8;

    /// <summary>Reads the header from the start of a stream.</summary>
    /// <exception cref="InvalidDataException">The header is damaged or does not fit the file.</exception>
    public static (IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata) Read(Stream stream, string source)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.Length < 8) throw Damaged(source, "it is shorter than a header");
        stream.ReadExactly(prefix);
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > MaxBytes || (long)headerBytes > stream.Length - 8)
        {
            throw Damaged(
                source, $"its header claims {headerBytes} bytes, but the file has {stream.Length} and a header at most {MaxBytes}");
        }
        var json = new byte[headerBytes];
        stream.ReadExactly(json);
        if (json is not [(byte)'{', ..]) throw Damaged(source, "its header is not a JSON object");
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
