using System.Runtime.InteropServices;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Writes a checkpoint of random bf16 weights of any size, with a few megabytes in memory at a time, sharded like the published one.
/// Intended for measurements at scale: matrices preserve the variance of activations, so that these stay in range, but nothing is tuned for
/// training (<see cref="Initializer"/> is). Equal seeds give equal weights, whatever the shards and the number of cores.
/// </summary>
public sealed class RandomCheckpoint
{
    /// <summary>Maximum bytes of tensors in a file, as in the published checkpoint.</summary>
    public const long MaxShardBytes = 5_000_000_000;

    private const string Dtype = "BF16";
    private const int ValueBytes = 2;

    // Number of values drawn before they are written, and number of values that one thread draws at a time.
    private const int BlockValues = 4 << 20;
    private const int SliceValues = 64 << 10;

    private readonly Phi3VisionConfig _config;
    private readonly int _seed;
    private readonly IReadOnlyList<WeightSpec> _weights;
    private readonly IReadOnlyList<WeightSpec[]> _shards;
    private readonly Dictionary<double, NormalTable> _tables = [];
    private readonly ushort[] _block = new ushort[BlockValues];

    /// <param name="config">A valid configuration.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="maxShardBytes">Maximum bytes of tensors in a file; a larger tensor has a file of its own.</param>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public RandomCheckpoint(Phi3VisionConfig config, int seed, long maxShardBytes = MaxShardBytes)
    {
        config.Validate(Phi3VisionConfig.FileName);
        (_config, _seed) = (config, seed);
        _weights = WeightLayout.Of(config);
        _shards = Shard(_weights, maxShardBytes);
    }

    /// <summary>Number of values of all weights.</summary>
    public long ParameterCount => _weights.Sum(weight => weight.Count);

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => ValueBytes * ParameterCount;

    /// <summary>Number of files.</summary>
    public int Files => _shards.Count;

    /// <summary>
    /// Writes the weights, and an index where there are several files. The folder becomes loadable with the last file, so that the remains
    /// of a cancelled call are not mistaken for a checkpoint.
    /// </summary>
    /// <param name="folder">An existing folder; weights in it are replaced.</param>
    /// <param name="progress">Receives the bytes written so far.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled.</exception>
    public void Write(string folder, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        // A reader would take either file for a complete checkpoint while the new one is written.
        File.Delete(Path.Combine(folder, Checkpoint.FileName));
        File.Delete(Path.Combine(folder, CheckpointIndex.FileName));
        var written = 0L;
        var fileOf = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < _shards.Count; i++)
        {
            var file = _shards.Count == 1 ? Checkpoint.FileName : $"model-{i + 1:00000}-of-{_shards.Count:00000}.safetensors";
            var shard = _shards[i];
            var tensors = shard.Select(weight => (weight.Name, Dtype, weight.Shape)).ToList();
            SafetensorsWriter.Write(Path.Combine(folder, file), tensors, null, (stream, index) =>
                WriteWeight(stream, shard[index], bytes => progress?.Report(written += bytes), cancellationToken));
            foreach (var weight in shard) fileOf[weight.Name] = file;
        }
        if (_shards.Count > 1) CheckpointIndex.Write(folder, fileOf, Bytes);
    }

    private static List<WeightSpec[]> Shard(IReadOnlyList<WeightSpec> weights, long maxBytes)
    {
        var shards = new List<WeightSpec[]>();
        var (shard, bytes) = (new List<WeightSpec>(), 0L);
        foreach (var weight in weights)
        {
            if (shard.Count > 0 && bytes + ValueBytes * weight.Count > maxBytes)
            {
                shards.Add([.. shard]);
                (shard, bytes) = ([], 0);
            }
            shard.Add(weight);
            bytes += ValueBytes * weight.Count;
        }
        shards.Add([.. shard]);
        return shards;
    }

    private void WriteWeight(Stream stream, WeightSpec weight, Action<int> wrote, CancellationToken cancellationToken)
    {
        var table = Table(weight);
        var key = NormalTable.Key(_seed, weight.Name);
        for (var start = 0L; start < weight.Count; start += BlockValues)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var length = (int)Math.Min(BlockValues, weight.Count - start);
            if (table is null) _block.AsSpan(0, length).Fill(NormalTable.Bits(weight.Role == WeightRole.Gain ? 1 : 0));
            else Draw(table, key, start, length);
            stream.Write(MemoryMarshal.AsBytes(_block.AsSpan(0, length)));
            wrote(length * ValueBytes);
        }
    }

    private void Draw(NormalTable table, ulong key, long start, int length) =>
        Parallel.For(0, (length + SliceValues - 1) / SliceValues, slice =>
        {
            var first = slice * SliceValues;
            table.Fill(key, start + first, _block.AsSpan(first, Math.Min(SliceValues, length - first)));
        });

    /// <summary>
    /// Returns the table of a weight: variance 1 / inputs for matrices, the configuration's range for embeddings and the head; null for
    /// gains (all 1) and biases (all 0).
    /// </summary>
    private NormalTable? Table(WeightSpec weight)
    {
        if (weight.Role is WeightRole.Gain or WeightRole.Bias) return null;
        var deviation = weight.Role == WeightRole.Matrix ? Math.Sqrt(weight.Shape[0] / (double)weight.Count) : _config.InitializerRange;
        if (!_tables.TryGetValue(deviation, out var table)) _tables.Add(deviation, table = new NormalTable(deviation));
        return table;
    }
}
