using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;

namespace FunctionsPipeline.GpuWorker.Tests;

[Collection(nameof(ConsoleCollection))]
public sealed class PredictCommandTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("predict-").FullName;

    private string Model => Path.Combine(_folder, "base");

    private string Image => Path.Combine(_folder, "a.png");

    public async Task InitializeAsync()
    {
        var (code, _, error) = await ConsoleRun.RunAsync("init", "--out", Model, "--vocabulary", "320");
        Assert.True(code == 0, error);
        File.WriteAllBytes(Image, TestImages.Png());
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Text_and_json_give_the_same_answer_and_json_its_probability()
    {
        var text = await AskAsync(Image, "--max-tokens", "6");
        var json = await AskAsync(Image, "--max-tokens", "6", "--json");
        var line = JsonDocument.Parse(json).RootElement;
        Assert.Equal($"a.png: {line.GetProperty("answer").GetString()}".Trim(), text.Trim());
        Assert.InRange(line.GetProperty("confidence").GetProperty("answer").GetDouble(), 0, 1);
        var tokens = line.GetProperty("tokens").EnumerateArray().ToList();
        Assert.InRange(tokens.Count, 1, 6);
        Assert.Equal(
            line.GetProperty("logProbability").GetDouble(),
            tokens.Sum(token => token.GetProperty("logProbability").GetDouble()), 1e-3);
        Assert.Equal(tokens.Count < 6, line.GetProperty("complete").GetBoolean());
    }

    [Fact]
    public async Task Json_has_further_fields_of_the_model()
    {
        ServingSettings.Save(Model, new TrainingSettings { AnswerTemplate = "{colour}, {weight}", NumCrops = 1 },
            [Answer.Of(new Dictionary<string, FieldValue> { ["colour"] = new("red"), ["weight"] = new(5) })],
            [new FieldDefinition("colour", FieldKind.Category), new FieldDefinition("weight", FieldKind.Number, "g")]);
        var line = JsonDocument.Parse(await AskAsync(Image, "--json")).RootElement;
        var fields = line.GetProperty("fields");
        var answer = line.GetProperty("answer").GetString()!;
        Assert.Matches(@"^red, [0-9.]+ g$", answer);
        Assert.Equal(double.Parse(answer[5..^2], CultureInfo.InvariantCulture), fields.GetProperty("weight").GetDouble());
        Assert.Equal("red", fields.GetProperty("colour").GetString());
        Assert.InRange(line.GetProperty("confidence").GetProperty("fields").GetProperty("colour").GetDouble(), 0, 1);
        var (code, output, _) = await ConsoleRun.RunAsync("inspect", Model);
        Assert.Equal(0, code);
        Assert.Contains("colour       1 known values", output);
    }

    [Fact]
    public async Task The_seed_decides_what_is_drawn()
    {
        string[] draw =
        [
            Image, "--max-tokens", "48", "--temperature", "1.2", "--top-k", "200", "--top-p", "0.98",
            "--repetition-penalty", "1.1", "--json",
        ];
        var first = await AskAsync([.. draw, "--seed", "1"]);
        Assert.Equal(first, await AskAsync([.. draw, "--seed", "1"]));
        Assert.NotEqual(first, await AskAsync([.. draw, "--seed", "2"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Files_that_cannot_be_read_are_named_and_the_others_answered(bool json)
    {
        var missing = Path.Combine(_folder, "missing.jpg");
        string[] arguments =
            ["predict", "--model", Model, "--max-tokens", "3", missing, _folder, Image, .. json ? ["--json"] : Array.Empty<string>()];
        var (code, output, error) = await ConsoleRun.RunAsync(arguments);
        Assert.Equal(1, code);
        Assert.Contains("missing.jpg", json ? output : error);
        Assert.Contains(Path.GetFileName(_folder), json ? output : error);
        Assert.Contains("a.png", output);
        if (json) Assert.Contains("\"reason\":\"not-found\"", output);
    }

    [Theory]
    [InlineData("--max-tokens 0", "--max-tokens must be at least 1")]
    [InlineData("--temperature -1", "--temperature must be 0 or above")]
    [InlineData("--temperature 1 --top-p 0", "--top-p must be above 0 and at most 1")]
    [InlineData("--temperature 1 --top-k -2", "--top-k must be 0 or above")]
    [InlineData("--repetition-penalty 0", "--repetition-penalty must be above 0")]
    [InlineData("--top-k 5", "--top-k and --top-p need a --temperature above 0")]
    [InlineData("--seed many", "many")]
    public async Task Options_that_make_no_sense_are_named(string options, string expected)
    {
        var (code, _, error) = await ConsoleRun.RunAsync(["predict", "--model", Model, Image, .. options.Split(' ')]);
        Assert.Equal(64, code);
        Assert.Contains(expected, error);
    }

    [Fact]
    public async Task Help_shows_how_to_sample()
    {
        var (code, output, _) = await ConsoleRun.RunAsync("predict", "--help");
        Assert.Equal(0, code);
        Assert.Contains("--temperature 0.7 --top-p 0.9", output);
        Assert.Contains("--max-tokens", output);
    }

    private async Task<string> AskAsync(params string[] arguments)
    {
        var (code, output, error) = await ConsoleRun.RunAsync(["predict", "--model", Model, .. arguments]);
        Assert.True(code == 0, error);
        return output;
    }
}
