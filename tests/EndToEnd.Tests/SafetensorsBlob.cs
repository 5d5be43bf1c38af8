using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Azure.Storage.Blobs;

namespace FunctionsPipeline.EndToEnd.Tests;

/// <summary>Reads a tensor of a model in blob storage without the model's own code.</summary>
/// <remarks>safetensors: the header's length in 8 bytes, the header as JSON, then the tensors' bytes.</remarks>
internal static class SafetensorsBlob
{
    /// <param name="folder">The model's folder in the container.</param>
    /// <param name="name">A tensor of float32 or bfloat16.</param>
    public static async Task<(int[] Shape, float[] Values)> ReadFloatsAsync(BlobContainerClient models, string folder, string name)
    {
        byte[] file = (await models.GetBlobClient($"{folder}/model.safetensors").DownloadContentAsync()).Value.Content.ToArray();
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        var entry = JsonNode.Parse(file.AsSpan(8, length))![name]!;
        var offsets = entry["data_offsets"]!.AsArray().Select(offset => offset!.GetValue<int>() + 8 + length).ToArray();
        var bytes = file.AsSpan(offsets[0]..offsets[1]);
        float[] values = entry["dtype"]!.GetValue<string>() switch
        {
            "F32" => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            "BF16" => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray()
                .Select(half => BitConverter.UInt32BitsToSingle((uint)half << 16))],
            var other => throw new NotSupportedException(other),
        };
        return ([.. entry["shape"]!.AsArray().Select(size => size!.GetValue<int>())], values);
    }
}
