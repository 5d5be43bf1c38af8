using System.Text.Json.Nodes;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Weights;

public sealed class ModelFolderTests : IDisposable
{
    private const string WeightsName = "model.safetensors";
    private static readonly Tokenizer Tokens = Tokenizer.Parse(TokenizerTrainer.Train(["Category: SHOES", "Category: COATS"], 340));
    private readonly string _folder = Directory.CreateTempSubdirectory("model-").FullName;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Phi3VisionConfig _config = Presets.Tiny(Tokens.VocabularySize);
    private readonly Phi3VisionModel _model;

    public ModelFolderTests()
    {
        _model = new Phi3VisionModel(_config);
        Initializer.Initialize(_model, seed: 1);
        ModelFolder.Save(_folder, _model, _config, Tokens);
    }

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void What_is_saved_comes_back()
    {
        using var loaded = ModelFolder.Load(_folder, CPU, ScalarType.Float32);
        Assert.Equal(Parameters(_model), Parameters(loaded.Model));
        Assert.Equal(Tokens.Encode("Category: SHOES"), loaded.Tokenizer.Encode("Category: SHOES"));
        Assert.Equal(_config.HiddenSize, loaded.Config.HiddenSize);
    }

    [Fact]
    public void Weights_of_another_type_are_converted()
    {
        using var loaded = ModelFolder.Load(_folder, CPU, ScalarType.BFloat16);
        Assert.All(loaded.Model.named_parameters(), pair => Assert.Equal(ScalarType.BFloat16, pair.parameter.dtype));
    }

    [Fact]
    public void Every_mismatch_is_listed_in_one_error()
    {
        var weights = Weights();
        weights.RemoveAll(pair => pair.Name == "model.norm.weight");
        Replace(weights, "lm_head.weight", torch.ones(2, 3));
        Replace(weights, "model.vision_embed_tokens.sub_GN", torch.ones([1, 1, 1, 4 * _config.Clip.HiddenSize], dtype: ScalarType.Int64));
        weights.Add(("model.layers.9.mlp.down_proj.weight", torch.ones(1)));
        weights.Add(("model.layers.9.mlp.gate_up_proj.weight", torch.ones(1)));
        SafetensorsFile.Write(Path.Combine(_folder, WeightsName), weights);
        var message = Assert.Throws<InvalidDataException>(() => ModelFolder.Load(_folder, CPU, ScalarType.Float32)).Message;
        Assert.Contains("model.norm.weight: missing", message);
        Assert.Contains($"lm_head.weight: is [2, 3], but must be [{_config.VocabSize}, {_config.HiddenSize}]", message);
        Assert.Contains("sub_GN: is I64", message);
        Assert.Contains("model.layers.9.mlp.down_proj.weight: not a weight", message);
        Assert.Contains("model.layers.9.mlp.gate_up_proj.weight: not a weight", message);
    }

    [Fact]
    public void Duplicates_and_constants_of_published_checkpoints_are_tolerated()
    {
        var weights = Weights();
        weights.Add(("model.vision_embed_tokens.wte.weight", torch.ones(1)));
        weights.Add((
            "model.vision_embed_tokens.img_processor.vision_model.embeddings.position_ids",
            torch.ones(1, 577, dtype: ScalarType.Int64)));
        SafetensorsFile.Write(Path.Combine(_folder, WeightsName), weights);
        ModelFolder.Load(_folder, CPU, ScalarType.Float32).Dispose();
    }

    [Fact]
    public void Weights_may_be_spread_over_files_with_an_index()
    {
        var weights = Weights();
        File.Delete(Path.Combine(_folder, WeightsName));
        var index = new JsonObject();
        foreach (var (part, i) in weights.Chunk(weights.Count / 2 + 1).Select((part, i) => (part, i)))
        {
            SafetensorsFile.Write(Path.Combine(_folder, $"model-{i}.safetensors"), part);
            foreach (var (name, _) in part) index[name] = $"model-{i}.safetensors";
        }
        File.WriteAllText(Path.Combine(_folder, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = index }.ToJsonString());
        using var loaded = ModelFolder.Load(_folder, CPU, ScalarType.Float32);
        Assert.Equal(Parameters(_model), Parameters(loaded.Model));

    }

    [Fact]
    public void A_checkpoint_that_does_not_fit_is_refused_before_the_model_is_made()
    {
        // A model of this size, 1.6 TB, could not be.
        var config = Presets.Phi3Vision128K with
        {
            NumHiddenLayers = 1000,
            HiddenSize = 6144,
            IntermediateSize = 16384,
            RopeScaling = null,
        };
        config.Save(_folder);
        var message = Assert.Throws<InvalidDataException>(() => ModelFolder.LoadModel(_folder, CPU, ScalarType.Float32)).Message;
        Assert.Contains("model.layers.999.mlp.down_proj.weight: missing", message);
        Assert.Contains("model.norm.weight: is [128], but must be [6144]", message);
    }

    [Fact]
    public void Loading_leaves_no_tensor_but_the_parameters()
    {
        var statistics = DisposeScopeManager.Statistics.TensorStatistics;
        var before = statistics.ThreadTotalLiveCount;
        var loaded = ModelFolder.Load(_folder, CPU, ScalarType.BFloat16);
        Assert.Equal(loaded.Model.parameters().Count(), statistics.ThreadTotalLiveCount - before);
        loaded.Dispose();
        Assert.Equal(before, statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Making_a_model_draws_no_random_weights()
    {
        using var before = torch.get_rng_state();
        new Phi3VisionModel(_config).Dispose();
        using var after = torch.get_rng_state();
        Assert.Equal(before.bytes.ToArray(), after.bytes.ToArray());
    }

    [Fact]
    public void The_same_seed_gives_the_same_weights_and_another_one_others()
    {
        using var other = new Phi3VisionModel(_config);
        Initializer.Initialize(other, seed: 1);
        Assert.Equal(Parameters(_model), Parameters(other));
        Initializer.Initialize(other, seed: 2);
        Assert.NotEqual(Parameters(_model)["lm_head.weight"], Parameters(other)["lm_head.weight"]);
    }

    private List<(string Name, Tensor Tensor)> Weights() =>
        [.. _model.named_parameters().Select(pair => (pair.name, (Tensor)pair.parameter))];

    private static void Replace(List<(string Name, Tensor Tensor)> weights, string name, Tensor tensor) =>
        weights[weights.FindIndex(pair => pair.Name == name)] = (name, tensor);

    private static SortedDictionary<string, byte[]> Parameters(Phi3VisionModel model) =>
        new(model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter.bytes.ToArray()), StringComparer.Ordinal);
}
