using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Weights;

public sealed class RandomCheckpointTests : IDisposable
{
    private const long ShardBytes = 300_000;
    private static readonly Phi3VisionConfig Config = Presets.Tiny(400);
    private readonly string _folder = Directory.CreateTempSubdirectory("random-").FullName;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void It_is_a_sharded_checkpoint_that_loads()
    {
        var checkpoint = new RandomCheckpoint(Config, seed: 1, ShardBytes);
        var progress = new LastReport();
        checkpoint.Write(Folder("a"), progress);
        Assert.Equal(checkpoint.Bytes, progress.Value);
        var shards = Directory.GetFiles(Folder("a"), "*.safetensors");
        Assert.Equal(checkpoint.Files, shards.Length);
        Assert.Contains(shards, shard => Path.GetFileName(shard) == $"model-00001-of-{shards.Length:00000}.safetensors");
        Assert.All(shards, shard => Assert.InRange(new FileInfo(shard).Length, 1, ShardBytes + 8192));

        Config.Save(Folder("a"));
        var summary = ModelSummary.Read(Folder("a"));
        Assert.Null(summary.Tokenizer);
        Assert.Equal(checkpoint.ParameterCount, summary.ParameterCount);
        Assert.Equal(checkpoint.Bytes, summary.StoredBytes);
        using var model = ModelFolder.LoadModel(Folder("a"), CPU, ScalarType.Float32);
        Assert.Equal(checkpoint.ParameterCount, model.parameters().Sum(parameter => parameter.numel()));
        var logits = model.forward(new ModelInput(torch.ones(1, 3, dtype: ScalarType.Int64)));
        Assert.True(logits.isfinite().all().item<bool>());
    }

    [Fact]
    public void Weights_have_the_distribution_of_their_role()
    {
        new RandomCheckpoint(Config, seed: 1).Write(_folder);
        using var file = SafetensorsFile.Open(Path.Combine(_folder, "model.safetensors"));
        Tensor Read(string name) => file.Read(name).to(ScalarType.Float32);
        Assert.Equal(1, Read("model.norm.weight").min().item<float>());
        Assert.Equal(0, Read("model.vision_embed_tokens.img_projection.0.bias").abs().max().item<float>());
        var matrix = Read("model.layers.0.mlp.down_proj.weight");
        Assert.InRange(matrix.std().item<float>() * Math.Sqrt(Config.IntermediateSize), 0.98, 1.02);
        Assert.InRange(matrix.mean().item<float>() * Math.Sqrt(Config.IntermediateSize), -0.02, 0.02);
        Assert.InRange(Read("lm_head.weight").std().item<float>() / Config.InitializerRange, 0.98, 1.02);
        var other = Read("model.layers.1.mlp.down_proj.weight");
        Assert.InRange(((matrix * other).mean() / (matrix.std() * other.std())).item<float>(), -0.02, 0.02);
    }

    [Fact]
    public void A_seed_gives_the_same_weights_in_any_number_of_files_and_another_seed_gives_others()
    {
        new RandomCheckpoint(Config, seed: 1, ShardBytes).Write(Folder("a"));
        new RandomCheckpoint(Config, seed: 1).Write(Folder("b"));
        new RandomCheckpoint(Config, seed: 2).Write(Folder("c"));
        Assert.Equal(Weights("a"), Weights("b"));
        Assert.NotEqual(Weights("b")["lm_head.weight"], Weights("c")["lm_head.weight"]);
        Assert.Equal("96BC2EBC373C39BB", Convert.ToHexString(Weights("b")["lm_head.weight"].AsSpan(0, 8)));
    }

    [Fact]
    public void A_cancelled_write_is_no_checkpoint()
    {
        using var cancel = new CancellationTokenSource();
        var progress = new LastReport { Reported = bytes => { if (bytes > ShardBytes) cancel.Cancel(); } };
        Assert.Throws<OperationCanceledException>(() =>
            new RandomCheckpoint(Config, seed: 1, ShardBytes).Write(_folder, progress, cancel.Token));
        Assert.Empty(Directory.GetFiles(_folder, "*.part"));
        Assert.Contains("no weights", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder)).Message);
    }

    [Fact]
    public void A_stretch_of_random_values_does_not_depend_on_what_is_made_beside_it()
    {
        var table = new NormalTable(1);
        var whole = new ushort[1003];
        table.Fill(7, 0, whole);
        var part = new ushort[1003 - 400];
        table.Fill(7, 400, part);
        Assert.Equal(whole[400..], part);
        table.Fill(8, 400, part);
        Assert.NotEqual(whole[400..], part);
        Assert.NotEqual(NormalTable.Key(1, "layers.1"), NormalTable.Key(1, "layers.2"));
        Assert.NotEqual(NormalTable.Key(1, "layers.1"), NormalTable.Key(2, "layers.1"));
    }

    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.975, 1.959963984540054)]
    [InlineData(0.001, -3.090232306167813)]
    [InlineData(0.84134474606854293, 1)]
    [InlineData(0.9999, 3.719016485455709)]
    public void Quantiles_are_those_of_the_normal_distribution(double share, double expected) =>
        Assert.Equal(expected, NormalDistribution.Quantile(share), 7);

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(-2f, 0xC000)]
    [InlineData(1.00390625f, 0x3F80)]
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(1.005f, 0x3F81)]
    public void Bf16_is_rounded_to_the_nearest_even(float value, int bits) => Assert.Equal(bits, NormalTable.Bits(value));

    private string Folder(string name) => Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;

    private SortedDictionary<string, byte[]> Weights(string folder)
    {
        var weights = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(Folder(folder), "*.safetensors"))
        {
            using var file = SafetensorsFile.Open(path);
            foreach (var entry in file.Entries) weights.Add(entry.Name, file.Read(entry.Name).bytes.ToArray());
        }
        return weights;
    }

    private sealed class LastReport : IProgress<long>
    {
        public long Value { get; private set; }

        public Action<long>? Reported { get; init; }

        public void Report(long value)
        {
            Value = value;
            Reported?.Invoke(value);
        }
    }
}
