namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>Tests that look at the console must not run beside each other.</summary>
[CollectionDefinition(nameof(ConsoleCollection), DisableParallelization = true)]
public sealed class ConsoleCollection;

[Collection(nameof(ConsoleCollection))]
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("worker-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "Required command was not provided")]
    [InlineData("train", "'--run' is required")]
    [InlineData("track", "'--run' is required")]
    [InlineData("train --run r --threads 0", "--threads must be at least 1")]
    [InlineData("serve --port 70000", "--port must be from 0 to 65535")]
    [InlineData("serve --host nowhere", "--host must be an IP address; 'nowhere' is none")]
    [InlineData("serve --batch 0", "--batch must be at least 1")]
    [InlineData("serve --precision fp8", "'fp8' not recognized")]
    [InlineData("init --out x --vocabulary 10", "--vocabulary must be at least 304")]
    [InlineData("init --out x --preset huge", "'huge' not recognized")]
    [InlineData("init --out x --tokenizer t --vocabulary 400", "--tokenizer takes a tokenizer over")]
    [InlineData("inspect . --load fp8", "'fp8' not recognized")]
    [InlineData("predict --model /nowhere/at/all a.jpg", "/nowhere/at/all")]
    [InlineData("fly", "fly")]
    public async Task A_command_line_that_makes_no_sense_ends_with_64_and_says_why(string line, string expected)
    {
        var (code, _, error) = await RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(64, code);
        Assert.Contains(expected, error);
    }

    [Theory]
    [InlineData("--help", "train", "serve", "init", "predict", "inspect", "Exit codes")]
    [InlineData("train --help", "--run", "request.json", "Example:")]
    [InlineData("init --help", "--preset", "phi-3-vision-128k", "--tokenizer", "8.3 GB of disk", "Examples:")]
    [InlineData("inspect --help", "--load", "headers", "Examples:")]
    [InlineData("serve --help", "--port", "[default: 8080]", "POST /predict", "GET /metrics", "--precision", "Example:")]
    public async Task Help_explains_what_is_possible(string line, params string[] expected)
    {
        var (code, output, _) = await RunAsync(line.Split(' '));
        Assert.Equal(0, code);
        Assert.All(expected, text => Assert.Contains(text, output));
    }

    [Fact]
    public async Task A_checkpoint_is_made_described_and_asked()
    {
        var model = Path.Combine(_folder, "base");
        var texts = Path.Combine(_folder, "texts.txt");
        File.WriteAllLines(texts, ["Category: Hats", "Category: Coats"]);
        var made = await RunAsync("init", "--out", model, "--texts", texts, "--vocabulary", "340");
        Assert.True(made.Code == 0, made.Error);

        var described = await RunAsync("inspect", model, "--weights");
        Assert.True(described.Code == 0, described.Error);
        Assert.Contains("340 in the tokenizer", described.Output);
        Assert.Contains("model.layers.0.self_attn.qkv_proj.weight F32 [384,128]", described.Output);

        var image = Path.Combine(_folder, "a.png");
        var text = Path.Combine(_folder, "b.jpg");
        File.WriteAllBytes(image, TestImages.Png());
        File.WriteAllText(text, "no image");
        var asked = await RunAsync("predict", "--model", model, "--json", image, text);
        Assert.Equal(1, asked.Code);
        Assert.Contains("\"image\":\"a.png\",\"answer\":", asked.Output);
        Assert.Contains("\"image\":\"b.jpg\",\"reason\":\"not-an-image\"", asked.Output);
    }

    [Fact]
    public async Task A_vocabulary_too_small_for_the_texts_is_named()
    {
        var (code, _, error) = await RunAsync("init", "--out", Path.Combine(_folder, "base"), "--vocabulary", "305");
        Assert.Equal(1, code);
        Assert.Contains("--vocabulary 305 is too small", error);
    }

    [Fact]
    public async Task The_same_seed_makes_the_same_checkpoint()
    {
        await RunAsync("init", "--out", Path.Combine(_folder, "a"), "--seed", "7");
        await RunAsync("init", "--out", Path.Combine(_folder, "b"), "--seed", "7");
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_folder, "a", "model.safetensors")),
            File.ReadAllBytes(Path.Combine(_folder, "b", "model.safetensors")));
    }

    [Fact]
    public async Task A_folder_that_is_no_model_is_named()
    {
        var (code, _, error) = await RunAsync("inspect", _folder);
        Assert.Equal(1, code);
        Assert.Contains("config.json", error);
    }

    [Fact]
    public async Task A_run_that_does_not_exist_is_named()
    {
        var (code, _, error) = await RunAsync("train", "--run", "missing", "--folder", _folder);
        Assert.Equal(1, code);
        Assert.Contains("There is no run missing: runs/missing/request.json is missing.", error);
    }

    [Fact]
    public async Task A_run_without_a_tracker_to_be_sent_to_says_which_setting_is_missing()
    {
        var (code, _, error) = await RunAsync("track", "--run", "r1", "--folder", _folder);
        Assert.Equal(1, code);
        Assert.Contains("set WANDB_API_KEY", error);
    }

    [Fact]
    public async Task A_missing_storage_setting_is_named()
    {
        var (code, _, error) = await RunAsync("train", "--run", "r1");
        Assert.Equal(1, code);
        Assert.Contains("The setting PipelineStorage is missing", error);
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => ConsoleRun.RunAsync(arguments);
}
