using FunctionsPipeline.GpuWorker.Commands;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;

namespace FunctionsPipeline.GpuWorker.Tests;

[Collection(nameof(ConsoleCollection))]
public sealed class InitCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("init-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("")]
    public async Task A_tokenizer_is_taken_over_from_its_file_or_folder(string file)
    {
        var json = TokenizerTrainer.Train(["Category: Hats"], 350);
        var source = Directory.CreateDirectory(Path.Combine(_folder, "source")).FullName;
        File.WriteAllText(Path.Combine(source, "tokenizer.json"), json);
        var output = Path.Combine(_folder, "base");
        var (code, _, error) = await ConsoleRun.RunAsync("init", "--out", output, "--tokenizer", Path.Combine(source, file));
        Assert.True(code == 0, error);
        Assert.Equal(json, File.ReadAllText(Path.Combine(output, "tokenizer.json")));
        var summary = ModelSummary.Read(output);
        Assert.Equal(summary.Tokenizer!.Id("<|endoftext|>"), summary.Config.PadTokenId);
        Assert.Equal(summary.Tokenizer.VocabularySize, summary.Config.VocabSize);
    }

    [Fact]
    public async Task A_tokenizer_that_is_not_there_is_named()
    {
        var (code, _, error) = await ConsoleRun.RunAsync("init", "--out", _folder, "--tokenizer", "/nowhere/at/all.json");
        Assert.Equal(1, code);
        Assert.Contains("there is no '/nowhere/at/all.json'", error);
    }

    [Fact]
    public async Task A_full_size_checkpoint_does_not_replace_weights_by_mistake()
    {
        File.WriteAllText(Path.Combine(_folder, "model.safetensors"), "precious");
        var (code, _, error) = await ConsoleRun.RunAsync("init", "--preset", "phi-3-vision-128k", "--out", _folder);
        Assert.Equal(1, code);
        Assert.Contains("holds weights already", error);
        Assert.Equal("precious", File.ReadAllText(Path.Combine(_folder, "model.safetensors")));
    }

    [Fact]
    public void A_disk_that_is_too_small_is_told_with_what_is_missing()
    {
        OutputFolderCheck.RequireSpace(_folder, 8_293_242_880, free: 8_293_242_880);
        var error = Assert.Throws<CommandException>(() => OutputFolderCheck.RequireSpace(_folder, 8_293_242_880, free: 3_000_000_000));
        Assert.Contains("needs 8.29 GB of disk", error.Message);
        Assert.Contains("3.00 GB free: 5.29 GB are missing", error.Message);
    }

    [Fact]
    public void Progress_tells_rate_and_time_left()
    {
        var clock = new Clock();
        using var output = new StringWriter();
        var progress = new ByteProgress("written", 8_000_000_000, clock, output, overwrite: false);
        clock.Seconds = 1;
        progress.Report(100_000_000);
        clock.Seconds = 10;
        progress.Report(2_000_000_000);
        clock.Seconds = 11;
        progress.Report(2_100_000_000);
        clock.Seconds = 40;
        progress.Complete();
        Assert.Equal(
            ["written 2.00 of 8.00 GB, 200 MB/s, 00:00:30 left", "written 8.00 GB in 40.0 s, 200 MB/s"],
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
