using System.Text.Json;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Normalised value of each byte of each channel: as recorded, or (byte / 255 - mean) / deviation in float32 when no table is recorded.
/// </summary>
internal sealed class Normalization
{
    private readonly float[] _table;
    private readonly float[] _computed;

    private Normalization(float[] table, float[] computed) => (_table, _computed) = (table, computed);

    /// <summary>Returns the value of a byte in a channel (0 red, 1 green, 2 blue).</summary>
    public float this[int channel, byte value] => _table[channel * 256 + value];

    /// <exception cref="InvalidDataException">The recording has neither a table nor a mean and a deviation.</exception>
    public static Normalization Read(string folder, JsonElement expected)
    {
        var path = Path.Combine(folder, "normalize_lut.npy");
        var recorded = File.Exists(path) ? NpyFile.Read(path).Values : null;
        if (recorded is not null && recorded.Length != 3 * 256)
            throw new InvalidDataException($"'{path}' is no table of 3 times 256 values.");
        var computed = expected.TryGetProperty("image_mean", out var mean) && expected.TryGetProperty("image_std", out var deviation)
            ? Enumerable.Range(0, 3 * 256)
                .Select(i => (i % 256 / 255f - mean[i / 256].GetSingle()) / deviation[i / 256].GetSingle()).ToArray()
            : recorded ?? throw new InvalidDataException($"'{folder}' has neither normalize_lut.npy nor image_mean and image_std.");
        return new Normalization(recorded ?? computed, computed);
    }

    /// <summary>Compares the recorded table with the values computed from mean and deviation.</summary>
    public IReadOnlyList<Comparison> Compare() =>
        [new Comparison("normalize_lut", _table.Zip(_computed, (a, b) => (double)Math.Abs(a - b)).Max(), 5e-7)];
}
