using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Phi3Vision.Tests.Config;

public sealed class Phi3VisionConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("config-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [TestDataFact("data/phi3v-tokenizer/config.json")]
    public void The_published_configuration_is_the_preset()
    {
        var published = Phi3VisionConfig.Load(TestData.Path("data/phi3v-tokenizer"));
        var preset = Presets.Phi3Vision128K;
        Assert.Equal(preset.RopeScaling!.ShortFactor.Select(f => (float)f), published.RopeScaling!.ShortFactor.Select(f => (float)f));
        Assert.Equal(preset.RopeScaling.LongFactor.Select(f => (float)f), published.RopeScaling.LongFactor.Select(f => (float)f));
        Assert.Equal(preset, published with { RopeScaling = preset.RopeScaling, OtherKeys = null });
    }

    [Fact]
    public void Keys_that_the_model_does_not_use_survive_a_round_trip()
    {
        Presets.Tiny(400).Save(_folder);
        var path = Path.Combine(_folder, "config.json");
        var json = File.ReadAllText(path);
        File.WriteAllText(
            path, json.Replace("\"phi3_v\",", "\"phi3_v\", \"auto_map\": {\"AutoConfig\": \"x\"},", StringComparison.Ordinal));
        Phi3VisionConfig.Load(_folder).Save(_folder);
        Assert.Contains("AutoConfig", File.ReadAllText(path));
        Assert.Contains("\"num_key_value_heads\": 4", File.ReadAllText(path));
    }

    [Fact]
    public void Every_problem_is_listed()
    {
        var unusable = Presets.Tiny(400) with { ModelType = "llama", NumKeyValueHeads = 3, PadTokenId = 400 };
        var error = Assert.Throws<InvalidDataException>(() => unusable.Save(_folder));
        Assert.Contains("model_type", error.Message);
        Assert.Contains("num_key_value_heads", error.Message);
        Assert.Contains("pad_token_id", error.Message);
    }

    [Theory]
    [InlineData(
        "\"num_hidden_layers\": 2,", "\"num_hidden_layers\": 2000000000,", "num_hidden_layers is 2000000000, but must be at most 1000")]
    [InlineData("\"vocab_size\": 400,", "\"vocab_size\": 2147483647,", "vocab_size is 2147483647")]
    [InlineData("\"vocab_size\": 400,", "\"vocab_size\": 99999999999,", "cannot be read")]
    [InlineData("\"hidden_size\": 128,", "\"clip\": null, \"hidden_size\": 128,", "cannot be read")]
    [InlineData("\"type\": \"su\",", "\"type\": \"su\", \"short_factor\": null,", "cannot be read")]
    [InlineData("\"short_factor\": [", "\"short_factor\": [0,", "rope_scaling.short_factor has entries that are not above 0")]
    [InlineData("\"hidden_size\": 128,", "\"hidden_size\": -128,", "hidden_size is -128, but must be above 0")]
    public void A_configuration_that_no_model_has_is_refused(string was, string becomes, string because)
    {
        Presets.Tiny(400).Save(_folder);
        var path = Path.Combine(_folder, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace(was, becomes, StringComparison.Ordinal));
        Assert.Contains(because, Assert.Throws<InvalidDataException>(() => Phi3VisionConfig.Load(_folder)).Message);
    }

    [Fact]
    public void A_folder_without_configuration_is_refused() =>
        Assert.Contains("config.json", Assert.Throws<InvalidDataException>(() => Phi3VisionConfig.Load(_folder)).Message);
}
