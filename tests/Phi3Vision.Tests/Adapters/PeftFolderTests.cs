using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Adapters;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Tests.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Adapters;

public sealed class PeftFolderTests : IDisposable
{
    private const string Prefix = "base_model.model.";
    private static readonly string Recorded = Path.Combine(AppContext.BaseDirectory, "Fixtures", "lora-3-steps", "adapter_final");

    private readonly string _folder = Directory.CreateTempSubdirectory("peft").FullName;
    private readonly GoldenCase _golden = GoldenCase.Load("tiny-image");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _golden.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void What_the_published_code_recorded_is_loaded_and_saved_again_the_same()
    {
        using var adapters = PeftFolder.Load(Recorded, _golden.Model);
        Assert.Equal(2, adapters.Scale);
        Assert.Equal("../tiny-image", PeftFolder.BaseModel(Recorded));
        PeftFolder.Save(_folder, adapters, "../tiny-image");

        var (recorded, saved) = (Json(Recorded), Json(_folder));
        foreach (var json in new[] { recorded, saved })
        {
            var targets = json["target_modules"]!.AsArray().Select(name => name!.GetValue<string>()).Order();
            json["target_modules"] = new JsonArray([.. targets.Select(name => JsonValue.Create(name))]);
        }
        Assert.True(JsonNode.DeepEquals(recorded, saved), saved.ToJsonString());

        var (expected, actual) = (Tensors(Recorded), Tensors(_folder));
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        Assert.All(expected, pair => Assert.True(pair.Value.Equals(actual[pair.Key]), pair.Key));
    }

    [Fact]
    public void A_merged_model_is_saved_and_loaded_as_any_other_and_computes_what_its_adapters_did()
    {
        using var noGradients = no_grad();
        using var adapters = PeftFolder.Load(Recorded, _golden.Model);
        var expected = _golden.Model.forward(_golden.Input);
        adapters.Merge();
        Close.Assert(expected, _golden.Model.forward(_golden.Input), 1e-5);

        _golden.Model.Config.Save(_folder);
        SafetensorsFile.Write(
            Path.Combine(_folder, Checkpoint.FileName),
            [.. _golden.Model.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
        using var merged = ModelFolder.LoadModel(_folder, CPU, ScalarType.Float32);
        Close.Assert(expected, merged.forward(_golden.Input), 1e-5);
    }

    [Fact]
    public void Parts_that_were_trained_whole_come_back_into_another_model()
    {
        var settings = new LoraSettings { Targets = ["layers.0.mlp.down_proj"], RankStabilized = true };
        using (var adapters = LoraAdapters.Attach(_golden.Model, settings, seed: 1))
        {
            using (no_grad())
            {
                foreach (var parameter in _golden.Model.named_parameters().Where(p => p.name.Contains("img_pro")))
                    parameter.parameter.add_(0.01);
            }
            PeftFolder.Save(_folder, adapters, "base", [ModelPart.Projector, ModelPart.VisionTower]);
        }
        var config = Json(_folder);
        Assert.Equal("""["img_processor","img_projection"]""", config["modules_to_save"]!.ToJsonString());
        Assert.Equal("""["layers.0.mlp.down_proj"]""", config["target_modules"]!.ToJsonString());
        Assert.True(config["use_rslora"]!.GetValue<bool>());
        Assert.Contains(Prefix + "model.vision_embed_tokens.img_projection.0.weight", Tensors(_folder).Keys);
        Assert.Contains(Prefix + "model.vision_embed_tokens.img_processor.vision_model.pre_layrnorm.bias", Tensors(_folder).Keys);
        Assert.DoesNotContain(Tensors(_folder).Keys, name => name.EndsWith("_GN"));

        using var other = GoldenCase.Load("tiny-image");
        using var loaded = PeftFolder.Load(_folder, other.Model);
        Assert.Equal((16, true), (loaded.Settings.Rank, loaded.Settings.RankStabilized));
        foreach (var (expected, actual) in _golden.Model.named_parameters().Zip(other.Model.named_parameters()))
            Assert.True(expected.parameter.Equals(actual.parameter), expected.name);
    }

    [Fact]
    public void A_part_cannot_be_saved_whole_that_has_adapters_or_that_peft_cannot_hold()
    {
        using var adapters = LoraAdapters.Attach(_golden.Model, new LoraSettings { Projector = true }, seed: 1);
        Assert.Throws<ArgumentException>(() => PeftFolder.Save(_folder, adapters, "base", [ModelPart.Projector]));
        Assert.Throws<ArgumentException>(() => PeftFolder.Save(_folder, adapters, "base", [ModelPart.Head]));
    }

    [Theory]
    [InlineData("use_dora", "true", "use_dora is not done here")]
    [InlineData("rank_pattern", """{ "o_proj": 8 }""", "rank_pattern is not done here")]
    [InlineData("bias", "\"all\"", "bias is all")]
    [InlineData("peft_type", "\"IA3\"", "peft_type is IA3")]
    [InlineData("r", "0", "r is 0")]
    [InlineData("r", "\"many\"", "adapter_config.json' is no adapter that can be used")]
    [InlineData("target_modules", "\"(o_proj\"", "adapter_config.json' is no adapter that can be used")]
    [InlineData("r", "8", "lora_A.weight: is [4, 64], but must be [8, 64]")]
    [InlineData("target_modules", """["qkv_proj", "o_proj", "gate_up_proj"]""", "layers.0.mlp.down_proj.lora_A.weight: has no place")]
    [InlineData("target_modules", """["qkv_proj", "o_proj", "gate_up_proj", "down_proj", "fc1"]""", "fc1.lora_A.weight: missing")]
    [InlineData("target_modules", """["q"]""", "match no layer")]
    [InlineData("modules_to_save", """["lm_head"]""", "base_model.model.lm_head.weight: missing")]
    public void What_does_not_fit_is_named(string key, string value, string problem)
    {
        Copy(key, value);
        var error = Assert.Throws<InvalidDataException>(() => PeftFolder.Load(_folder, _golden.Model));
        Assert.Contains(problem, error.Message);
    }

    [Theory]
    [InlineData("\".*layers\\\\.[0-9]+\\\\.(mlp|self_attn)\\\\.(qkv|o|gate_up|down)_proj\"")]
    [InlineData("[\"qkv_proj\", \"o_proj\", \"mlp.gate_up_proj\", \"down_proj\", \"of_another_model\"]")]
    public void Targets_are_matched_as_peft_matches_them(string value)
    {
        Copy("target_modules", value);
        using var adapters = PeftFolder.Load(_folder, _golden.Model);
        Assert.Equal(8, adapters.Layers.Count);
    }

    [Fact]
    public void A_folder_that_is_no_adapter_is_said_to_be_none()
    {
        Assert.False(PeftFolder.HoldsAdapter(_folder));
        Assert.Contains("adapter_config.json", Assert.Throws<InvalidDataException>(() => PeftFolder.Load(_folder, _golden.Model)).Message);
        File.Copy(Path.Combine(Recorded, "adapter_config.json"), Path.Combine(_folder, "adapter_config.json"));
        Assert.Contains(
            "adapter_model.safetensors", Assert.Throws<InvalidDataException>(() => PeftFolder.Load(_folder, _golden.Model)).Message);
    }

    private void Copy(string key, string value)
    {
        File.Copy(Path.Combine(Recorded, PeftFolder.FileName), Path.Combine(_folder, PeftFolder.FileName));
        var config = Json(Recorded);
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(_folder, "adapter_config.json"), config.ToJsonString());
    }

    private static JsonObject Json(string folder) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!.AsObject();

    private static Dictionary<string, Tensor> Tensors(string folder)
    {
        using var file = SafetensorsFile.Open(Path.Combine(folder, PeftFolder.FileName));
        return file.Entries.ToDictionary(entry => entry.Name, entry => file.Read(entry.Name));
    }
}
