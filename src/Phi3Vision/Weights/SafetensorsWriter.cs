using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FunctionsPipeline.Phi3Vision;

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
