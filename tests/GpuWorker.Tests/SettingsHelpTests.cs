using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Commands;

namespace FunctionsPipeline.GpuWorker.Tests;

[Collection(nameof(ConsoleCollection))]
public sealed class SettingsHelpTests
{
    [Fact]
    public void Every_setting_of_a_request_is_explained()
    {
        var settings = SettingsHelp.All();
        Assert.All(settings, setting => Assert.True(setting.Text.EndsWith('.'), $"{setting.Name}: {setting.Text}"));
        Assert.All(settings, setting => Assert.DoesNotMatch("[<>](c|see|/)|cref|&[lg]t;|P:Functions", setting.Text));

        var json = JsonSerializer.SerializeToElement(new TrainingSettings(), new JsonSerializerOptions(PipelineJson.Compact)
        {
            DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.Never,
        });
        Assert.Equal(Names(json), settings.Select(setting => setting.Name).Where(name => !name.EndsWith('*')));
    }

    [Theory]
    [InlineData("method", "full|lora", "full", "Trains all weights (full), or low-rank adapters beside frozen weights (lora).")]
    [InlineData("epochs", "", "3",
        "Number of passes over the training split. Training ends at epochs, maxSteps or maxMinutes, whichever comes first.")]
    [InlineData("learningRate", "", "0.0001", "Peak learning rate of AdamW, above 0 and at most 1.")]
    [InlineData("maxSteps", "", "", "Maximum number of optimizer steps; no limit when left out.")]
    [InlineData("lora.targets", "", "all-linear", null)]
    [InlineData("lora.rankStabilized", "", "false", null)]
    [InlineData("visionTower.train", "", "", "True to train the part's weights; the method decides when left out.")]
    [InlineData("precision", "float32|bfloat16", "", null)]
    [InlineData("promptTemplate", "", "\"<|user|>\\n<|image_1|>{question}<|end|><|assistant|>\\n\"", null)]
    [InlineData("gallerySamples", "", "8",
        "Number of validation samples whose answers are stored at every validation, for inspection: runs/{run}/samples.")]
    public void A_setting_has_its_words_its_default_and_plain_text(string name, string words, string value, string? text)
    {
        var setting = SettingsHelp.All().Single(setting => setting.Name == name);
        Assert.Equal((words, value), (setting.Words, setting.Default));
        if (text is not null) Assert.Equal(text, setting.Text);
    }

    [Fact]
    public void Lines_keep_to_the_width()
    {
        using var narrow = new StringWriter();
        SettingsHelp.Write(narrow, 60);
        Assert.All(narrow.ToString().Split('\n').Where(line => line.StartsWith("      ")), line => Assert.InRange(line.Length, 1, 60));
        Assert.Equal(["a bc", "defghij", "k"], TextWrap.Lines("a bc  defghij k", 4));
    }

    [Fact]
    public async Task The_help_of_train_and_of_no_other_command_ends_with_them()
    {
        var (code, output, _) = await ConsoleRun.RunAsync("train", "--help");
        Assert.Equal(0, code);
        Assert.Contains("  lora.rank [default: 16]", output);
        Assert.Contains("  schedule <cosine|linear|constant> [default: cosine]", output);
        Assert.DoesNotContain("lora.rank", (await ConsoleRun.RunAsync("serve", "--help")).Output);
        Assert.DoesNotContain("lora.rank", (await ConsoleRun.RunAsync("--help")).Output);
    }

    private static IEnumerable<string> Names(JsonElement settings) => settings.EnumerateObject().SelectMany(property =>
        property.Value.ValueKind == JsonValueKind.Object
            ? Names(property.Value).Select(name => $"{property.Name}.{name}")
            : [property.Name]);
}
