using FunctionsPipeline.Phi3Vision.Weights;
using FunctionsPipeline.Tests;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Tests.Verification;

[Collection(nameof(ConsoleCollection))]
public sealed class VerifyModelTests : IDisposable
{
    private const string Text = "tiny-text-only";
    private readonly string _folder = Directory.CreateTempSubdirectory("verify-").FullName;

    private string Copy => Path.Combine(_folder, "case");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_folder_of_cases_agrees_with_a_line_for_each()
    {
        var (code, output, error) = await VerifyAsync(Recordings.Folder);
        Assert.True(code == 0, output + error);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Directory.GetDirectories(Recordings.Folder).Length, lines.Length);
        Assert.All(lines, line => Assert.StartsWith("agrees ", line));
        Assert.All(lines, line => Assert.DoesNotContain("not checked", line));
        var image = Assert.Single(lines, line => line.Contains("tiny-image:"));
        string[] outputs =
        [
            "pixel_values", "clip_features", "image_embeds", "hidden_layer_0", "logits", "greedy_logits", "no_grad_params", "18 gradients",
        ];
        foreach (var name in outputs) Assert.Contains($"{name} ", image);
        Assert.Contains("(1.0e-04)", image);
        Assert.Contains("cross.logits_nocache", output);
        Assert.Contains("5 agree, 0 differ", error);
        var adapters = Assert.Single(lines, line => line.Contains("lora-3-steps:"));
        foreach (var name in new[] { "losses", "8 first gradients", "16 trained adapters", "1 merged weights" })
            Assert.Contains($"{name} ", adapters);
    }

    [Fact]
    public async Task One_case_agrees()
    {
        var (code, output, _) = await VerifyAsync(Path.Combine(Recordings.Folder, Text), "--threads", "1");
        Assert.Equal(0, code);
        Assert.StartsWith($"agrees      {Text}:", output);
    }

    [Theory]
    [InlineData("logits", "logits 1.0e-03 (1.0e-04)")]
    [InlineData("hidden_layer_0", "hidden_layer_0 1.0e-03 (3.0e-05)")]
    [InlineData("rope_sin", "rope_sin 1.0e-03 (2.0e-06)")]
    [InlineData("loss", "loss 1.0e-03 (1.0e-05)")]
    [InlineData("greedy_logits", "greedy_logits 1.0e-03 (1.0e-04)")]
    [InlineData("grad.model.norm.weight", "<- grad.model.norm.weight")]
    public async Task An_output_out_of_tolerance_ends_with_1_and_is_named(string tensor, string expected)
    {
        Recordings.Changed(Text, Copy, tensor, value => value + 1e-3);
        var (code, output, error) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.StartsWith("DIFFERS ", output);
        Assert.Contains(expected, output);
        Assert.Contains("0 agree, 1 differ", error);
    }

    [Theory]
    [InlineData("greedy_tokens")]
    [InlineData("greedy_tokens_nocache")]
    public async Task Tokens_must_be_equal(string tensor)
    {
        Recordings.Changed(Text, Copy, tensor, value => value + torch.arange(16, dtype: ScalarType.Int64).eq(3).to(ScalarType.Int64));
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.Contains($"{tensor} 1 (0) <- entry 3 is", output);
    }

    [Fact]
    public async Task A_difference_that_is_no_number_is_out_of_tolerance()
    {
        Recordings.Changed(Text, Copy, "logits", value => value * double.NaN);
        Assert.Equal(1, (await VerifyAsync(Copy)).Code);
    }

    [Fact]
    public async Task A_gradient_that_is_no_number_is_named_as_the_worst()
    {
        Recordings.Changed(Text, Copy, "grad.model.norm.weight", value => value * double.NaN);
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.Contains("<- grad.model.norm.weight", output);
    }

    [Fact]
    public async Task Another_shape_is_out_of_tolerance()
    {
        Recordings.Changed(Text, Copy, "final_hidden", value => value.narrow(1, 0, 7));
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.Contains("but [1, 7, 64] is recorded", output);
    }

    [Fact]
    public async Task A_parameter_that_should_have_no_gradient_is_noticed()
    {
        Recordings.Changed(Text, Copy, "loss", value => value);
        var description = Path.Combine(Copy, "case.json");
        var changed = File.ReadAllText(description).Replace("\"model.vision_embed_tokens.glb_GN\"", "\"model.norm.weight\"");
        File.WriteAllText(description, changed);
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.Contains("no_grad_params", output);
    }

    [Fact]
    public async Task What_cannot_be_compared_is_said()
    {
        using var scope = NewDisposeScope();
        Recordings.With(Text, Copy, "attention_entropy", torch.ones(3));
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(0, code);
        Assert.Contains("not checked: attention_entropy: unknown", output);
    }

    [Fact]
    public async Task Json_has_every_output_with_its_difference()
    {
        var (code, output, _) = await VerifyAsync(Path.Combine(Recordings.Folder, Text), "--json");
        Assert.Equal(0, code);
        var line = System.Text.Json.JsonDocument.Parse(output).RootElement;
        Assert.Equal("agrees", line.GetProperty("outcome").GetString());
        var outputs = line.GetProperty("outputs").EnumerateArray().ToDictionary(entry => entry.GetProperty("output").GetString()!);
        Assert.True(outputs["grad.model.norm.weight"].GetProperty("fits").GetBoolean());
        Assert.Equal(1e-4, outputs["logits"].GetProperty("tolerance").GetDouble());
    }

    [Fact]
    public async Task Weights_of_another_folder_are_taken_when_asked_for()
    {
        Recordings.Changed(Text, Copy, "loss", value => value);
        File.Delete(Path.Combine(Copy, "model.safetensors"));
        File.Delete(Path.Combine(Copy, "config.json"));
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(2, code);
        Assert.Contains("config.json", output);
        Assert.Equal(0, (await VerifyAsync(Copy, "--model", Path.Combine(Recordings.Folder, Text))).Code);
        // Weights of other dimensions are none that the recording is of.
        Assert.NotEqual(0, (await VerifyAsync(Copy, "--model", Path.Combine(Recordings.Folder, "tiny-longrope"))).Code);
    }

    [Fact]
    public async Task A_case_takes_weights_and_batch_of_the_base_that_it_names()
    {
        // Three steps at a rate of 0: the losses stay, and so do the weights.
        var loss = Recorded(Text, "loss");
        Directory.CreateDirectory(Copy);
        Directory.CreateDirectory(Path.Combine(_folder, "base"));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Recordings.Folder, Text)))
            File.Copy(file, Path.Combine(_folder, "base", Path.GetFileName(file)));
        using (NewDisposeScope())
        {
            SafetensorsFile.Write(
                Path.Combine(Copy, "io.safetensors"), [("losses", torch.full(3, loss, dtype: ScalarType.Float32))]);
        }
        File.WriteAllText(Path.Combine(Copy, "case.json"),
            """
            { "kind": "adamw", "base": "../base", "unchanged_params_no_gradient": ["model.norm.weight"],
              "optimizer": { "name": "AdamW", "lr": 0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0, "steps": 2 } }
            """);
        var (code, output, error) = await VerifyAsync(Copy);
        Assert.True(code == 0, output + error);
        Assert.Contains("losses 0", output);
        Assert.Contains("unchanged parameters 0 (0)", output);
    }

    [Theory]
    [InlineData("losses")]
    [InlineData("grad0.base_model.model.model.layers.1.mlp.down_proj.lora_A.weight")]
    [InlineData("merged.model.layers.1.self_attn.o_proj.weight")]
    public async Task Trained_adapters_that_came_to_something_else_are_noticed(string tensor)
    {
        Recordings.Changed("tiny-image", Path.Combine(_folder, "tiny-image"), "loss", value => value);
        Recordings.Changed("lora-3-steps", Copy, tensor, value => value * 1.001);
        var (code, output, _) = await VerifyAsync(Copy);
        Assert.Equal(1, code);
        Assert.Contains(tensor, output);
    }

    [TestDataFact("golden/model")]
    public async Task Every_recording_of_the_shared_data_agrees()
    {
        var (code, output, error) = await VerifyAsync(TestData.Path("golden/model"));
        Assert.True(code == 0, output + error);
        Assert.Contains("agrees      adamw-3-steps: losses", output);
        Assert.Contains("agrees      lora-3-steps: logits_step0", output);
    }

    [Theory]
    [InlineData("nothing.txt", "nothing", "holds no recording")]
    [InlineData("io.safetensors", "nonsense", "not a usable safetensors file")]
    public async Task A_folder_that_cannot_be_read_ends_with_2(string file, string content, string expected)
    {
        Directory.CreateDirectory(Copy);
        File.WriteAllText(Path.Combine(Copy, file), content);
        var (code, output, error) = await VerifyAsync(Copy);
        Assert.Equal(2, code);
        Assert.Contains(expected, output + error);
    }

    [Fact]
    public async Task A_case_that_cannot_be_read_does_not_keep_the_others_from_being_compared()
    {
        Recordings.Changed(Text, Path.Combine(_folder, "a"), "loss", value => value);
        Recordings.Changed(Text, Path.Combine(_folder, "b"), "loss", value => value);
        File.WriteAllText(Path.Combine(_folder, "a", "case.json"), "{ \"base\"");
        var (code, output, _) = await VerifyAsync(_folder);
        Assert.Equal(2, code);
        Assert.Contains("unreadable  a:", output);
        Assert.Contains("agrees      b:", output);
    }

    [Theory]
    [InlineData("verify", "Required command was not provided")]
    [InlineData("verify model", "Required argument")]
    [InlineData("verify model /nowhere/at/all", "/nowhere/at/all")]
    [InlineData("verify tokenizer .", "'--tokenizer' is required")]
    [InlineData("verify model . --threads 0", "--threads must be at least 1")]
    [InlineData("verify record --model . --out x", "--prompt or --image is needed")]
    [InlineData("verify record --model . --out x --prompt a --answer b --answer c", "--answer must be given for each of the 1 prompts")]
    [InlineData("verify record --model . --out x --prompt a --gradients", "--gradients needs --answer")]
    [InlineData("verify record --model . --out x --prompt a --tokens 0", "--tokens must be at least 1")]
    public async Task A_command_line_that_makes_no_sense_ends_with_2(string line, string expected)
    {
        var (code, _, error) = await ConsoleRun.RunAsync(line.Split(' '));
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
    }

    [Theory]
    [InlineData("verify --help", "verify model recordings/tiny-image", "Exit codes: 0", "processor", "tokenizer", "record")]
    [InlineData("verify model --help", "Examples: verify model", "--model", "--json")]
    [InlineData("verify processor --help", "Example: verify processor")]
    [InlineData("verify tokenizer --help", "Example: verify tokenizer", "--tokenizer")]
    [InlineData("verify record --help", "Examples: verify record", "--gradients", "--with-weights")]
    public async Task Help_teaches_with_examples(string line, params string[] expected)
    {
        var (code, output, _) = await ConsoleRun.RunAsync(line.Split(' '));
        Assert.Equal(0, code);
        Assert.All(expected, text => Assert.Contains(text, output));
    }

    private static float Recorded(string name, string tensor)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(Path.Combine(Recordings.Folder, name, "io.safetensors"));
        return file.Read(tensor).item<float>();
    }

    private static Task<(int Code, string Output, string Error)> VerifyAsync(string folder, params string[] more) =>
        ConsoleRun.RunAsync(["verify", "model", folder, .. more]);
}
