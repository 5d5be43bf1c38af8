using System.Text.Json;

namespace FunctionsPipeline.GpuWorker.Tests.Verification;

[Collection(nameof(ConsoleCollection))]
public sealed class VerifyRecordTests : IAsyncLifetime
{
    private const string Chat = "<|user|>{0}<|end|><|assistant|>";
    private readonly string _folder = Directory.CreateTempSubdirectory("record-").FullName;

    private string Model => Path.Combine(_folder, "base");

    private string Output => Path.Combine(_folder, "recordings", "case");

    private string Image => Path.Combine(_folder, "a.png");

    public async Task InitializeAsync()
    {
        Assert.Equal(0, (await ConsoleRun.RunAsync("init", "--out", Model, "--vocabulary", "320")).Code);
        File.WriteAllBytes(Image, TestImages.Png());
        File.WriteAllBytes(Path.Combine(_folder, "b.jpg"), TestImages.Jpeg());
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task A_batch_with_images_answers_and_gradients_is_found_again_to_the_last_bit()
    {
        await RecordAsync("--image", Image, "--image", Path.Combine(_folder, "b.jpg"), "--crops", "2", "--tokens", "3",
            "--answer", "Hats", "--answer", "Coats and more", "--gradients");
        var outputs = await VerifyAsync();
        string[] names =
        [
            "pixel_values", "clip_features", "image_embeds", "logits", "loss", "greedy_tokens", "greedy_logits",
            "no_grad_params", "grad_norms",
        ];
        foreach (var name in names) Assert.Contains(name, outputs.Keys);
        Assert.True(outputs.Keys.Count(name => name.StartsWith("grad.", StringComparison.Ordinal)) > 20);
    }

    [Fact]
    public async Task Several_images_in_one_prompt_and_a_text_beside_it_are_recorded()
    {
        await RecordAsync("--image", Image, Path.Combine(_folder, "b.jpg"), "--crops", "1", "--tokens", "2",
            "--prompt", string.Format(null, Chat, "<|image_1|> or <|image_2|>?"), "--prompt", string.Format(null, Chat, "Hi"));
        var outputs = await VerifyAsync();
        Assert.Contains("greedy_tokens_nocache", outputs.Keys);
        Assert.DoesNotContain("loss", outputs.Keys);
    }

    [Fact]
    public async Task A_recording_with_weights_stands_alone()
    {
        await RecordAsync("--prompt", string.Format(null, Chat, "Who are you?"), "--with-weights");
        Directory.Move(Model, Path.Combine(_folder, "gone"));
        await VerifyAsync();
    }

    [Fact]
    public async Task A_recording_without_weights_is_verified_against_any_model_folder()
    {
        await RecordAsync("--prompt", string.Format(null, Chat, "Who are you?"));
        Assert.False(File.Exists(Path.Combine(Output, "model.safetensors")));
        var other = Path.Combine(_folder, "other");
        await ConsoleRun.RunAsync("init", "--out", other, "--vocabulary", "320", "--seed", "1");
        Assert.Equal(1, (await ConsoleRun.RunAsync("verify", "model", Output, "--model", other)).Code);
        Assert.Equal(0, (await ConsoleRun.RunAsync("verify", "model", Output, "--model", Model)).Code);
    }

    [Fact]
    public async Task Nothing_is_written_over()
    {
        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "kept.txt"), "");
        var (code, _, error) = await ConsoleRun.RunAsync("verify", "record", "--model", Model, "--out", Output, "--prompt", "x");
        Assert.Equal(2, code);
        Assert.Contains("is not empty", error);
    }

    [Theory]
    [InlineData("<|image_1|>", "tags for more images than the 0")]
    [InlineData("<|image_2|>", "tags for more images than the 0")]
    public async Task Prompts_and_images_that_do_not_belong_together_are_named(string prompt, string expected)
    {
        var (code, _, error) = await ConsoleRun.RunAsync("verify", "record", "--model", Model, "--out", Output, "--prompt", prompt);
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
    }

    [Fact]
    public async Task An_image_too_many_or_one_that_is_none_is_named()
    {
        var (code, _, error) = await ConsoleRun.RunAsync(
            "verify", "record", "--model", Model, "--out", Output, "--prompt", "x", "--image", Image);
        Assert.Equal(2, code);
        Assert.Contains("1 images are given, but the prompts have tags for 0", error);
        var text = Path.Combine(_folder, "text.png");
        File.WriteAllText(text, "no image");
        (code, _, error) = await ConsoleRun.RunAsync("verify", "record", "--model", Model, "--out", Output, "--image", text);
        Assert.Equal(2, code);
        Assert.Contains("text.png", error);
    }

    private async Task RecordAsync(params string[] arguments)
    {
        var (code, output, error) = await ConsoleRun.RunAsync(["verify", "record", "--model", Model, "--out", Output, .. arguments]);
        Assert.True(code == 0, error);
        Assert.Contains("recorded", output);
    }

    /// <summary>Every difference is 0.</summary>
    private async Task<Dictionary<string, double>> VerifyAsync()
    {
        var (code, output, error) = await ConsoleRun.RunAsync("verify", "model", Output, "--json");
        Assert.True(code == 0, output + error);
        var report = JsonDocument.Parse(output).RootElement;
        Assert.Empty(report.GetProperty("notChecked").EnumerateArray());
        var outputs = report.GetProperty("outputs").EnumerateArray()
            .ToDictionary(
                entry => entry.GetProperty("output").GetString()!, entry => entry.GetProperty("difference").GetDouble());
        Assert.All(outputs, entry => Assert.Equal(0, entry.Value));
        return outputs;
    }
}
