using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Reads float32 arrays from NumPy's .npy files (versions 1 to 3, C order, little-endian).</summary>
internal static partial class NpyFile
{
    /// <returns>The values in C order, and the shape.</returns>
    /// <exception cref="InvalidDataException">The file has another format.</exception>
    public static (float[] Values, int[] Shape) Read(string path)
    {
        if (!File.Exists(path)) throw new InvalidDataException($"'{path}' is missing.");
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < 12 || !bytes.AsSpan(0, 6).SequenceEqual(Magic)) throw Unusable(path, "it does not begin as a .npy file");
        // The header's length takes two bytes in version 1 and four from version 2 on.
        var (start, length) = bytes[6] == 1
            ? (10, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8)))
            : (12, (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8)));
        if (start + length > bytes.Length) throw Unusable(path, "its header is cut off");
        var header = Encoding.UTF8.GetString(bytes, start, (int)length);
        var match = Header().Match(header);
        if (!match.Success) throw Unusable(path, $"it is no float32 array in C order: {header.Trim()}");
        int[] shape = [.. match.Groups["side"].Captures.Select(side => int.Parse(side.Value, CultureInfo.InvariantCulture))];
        var data = bytes.AsSpan((int)(start + length));
        if (data.Length != shape.Aggregate(4L, (product, side) => product * side))
            throw Unusable(path, "it has not as many values as its shape says");
        return (MemoryMarshal.Cast<byte, float>(data).ToArray(), shape);
    }

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    private static InvalidDataException Unusable(string path, string why) => new($"'{path}' is not usable: {why}.");

    [GeneratedRegex(@"'descr': '<f4', 'fortran_order': False, 'shape': \((?:(?<side>[0-9]+),? ?)*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Header();
}
