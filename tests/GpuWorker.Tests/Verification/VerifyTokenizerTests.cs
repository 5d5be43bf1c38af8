using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.GpuWorker.Tests.Verification;

[Collection(nameof(ConsoleCollection))]
public sealed class VerifyTokenizerTests : IDisposable
{
    private const string Text = "Category: <|assistant|> \nHats";
    private readonly string _folder = Directory.CreateTempSubdirectory("verify-").FullName;
    private readonly Tokenizer _tokenizer;

    public VerifyTokenizerTests()
    {
        var json = TokenizerTrainer.Train(["Category: Hats", "Category: Coats"], 340);
        File.WriteAllText(Path.Combine(_folder, Tokenizer.FileName), json);
        _tokenizer = Tokenizer.Parse(json);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task All_four_files_agree()
    {
        Write("cases.jsonl", TextCase());
        Write("decode_cases.jsonl", new
        {
            ids = new[] { 3 + 0xE2, 3 + 0x82, 9999 },
            decoded = "\uFFFD\uFFFD",
            decoded_skip_special = "\uFFFD\uFFFD",
        });
        Write("prompt_cases.jsonl", PromptCase());
        Write("prompt_error_cases.jsonl", new
        {
            prompt = "<|image_2|>",
            num_img_tokens = new[] { 3 },
            error = "image_ids must start from 1",
        });
        var (code, output, error) = await VerifyAsync();
        Assert.True(code == 0, output + error);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.All(lines, line => Assert.StartsWith("agrees ", line));
        string[] fields =
        [
            "ids 0", "ids_no_bos 0", "tokens 0", "decoded 0", "decoded_skip_special 0", "decoded_no_bos 0",
            "chunks 0", "chunk ids 0", "input_ids 0", "input_ids_rle 0", "length 0", "refused 0",
        ];
        foreach (var field in fields) Assert.Contains($"{field} (0)", output);
        Assert.Contains("not checked: error:", output);
    }

    [Theory]
    [InlineData("ids")]
    [InlineData("ids_no_bos")]
    [InlineData("tokens")]
    [InlineData("decoded")]
    [InlineData("decoded_skip_special")]
    [InlineData("decoded_no_bos")]
    public async Task A_text_that_differs_ends_with_1(string field)
    {
        var line = TextCase();
        line[field] = line[field] switch
        {
            int[] ids => ids.Append(5).ToArray(),
            string[] tokens => tokens.Append("x").ToArray(),
            var text => $"{text}!",
        };
        Write("cases.jsonl", line);
        var (code, output, _) = await VerifyAsync();
        Assert.Equal(1, code);
        Assert.Contains($"{field} 1 (0) <- line 1:", output);
    }

    [Theory]
    [InlineData("input_ids")]
    [InlineData("input_ids_rle")]
    [InlineData("length")]
    [InlineData("chunks")]
    public async Task A_prompt_that_differs_ends_with_1(string field)
    {
        var line = PromptCase();
        line[field] = field switch
        {
            "length" => 3,
            "input_ids" => new[] { 1 },
            "input_ids_rle" => new[] { new[] { 1, 4 } },
            _ => new[] { new { text = "a", ids = new[] { 7 } } },
        };
        Write("prompt_cases.jsonl", line);
        var (code, output, _) = await VerifyAsync();
        Assert.Equal(1, code);
        Assert.Contains($"{field} 1 (0) <- line 1:", output);
    }

    [Fact]
    public async Task A_prompt_that_should_be_refused_and_is_not_ends_with_1()
    {
        Write("prompt_error_cases.jsonl", new { prompt = "<|image_1|>", num_img_tokens = new[] { 3 }, error = "" });
        var (code, output, _) = await VerifyAsync();
        Assert.Equal(1, code);
        Assert.Contains("refused 1 (0)", output);
    }

    [Fact]
    public async Task A_file_that_is_not_there_and_a_field_that_means_nothing_are_said()
    {
        Write("decode_cases.jsonl", new { ids = new[] { 3 + 65 }, decoded = "A", mood = "good" });
        var (code, output, _) = await VerifyAsync();
        Assert.Equal(0, code);
        Assert.Contains("mood: unknown", output);
        Assert.Contains("cases.jsonl: not checked: everything: the file is not there", output);
    }

    [Fact]
    public async Task What_cannot_be_read_ends_with_2()
    {
        Assert.Equal(2, (await VerifyAsync()).Code);
        File.WriteAllText(Path.Combine(_folder, "cases.jsonl"), "{\"text\": 1}\n");
        Assert.Equal(2, (await VerifyAsync()).Code);
        var none = Directory.CreateDirectory(Path.Combine(_folder, "none")).FullName;
        var (code, _, error) = await ConsoleRun.RunAsync("verify", "tokenizer", _folder, "--tokenizer", none);
        Assert.Equal(2, code);
        Assert.Contains("tokenizer.json", error);
    }

    [TestDataFact("golden/tokenizer")]
    public async Task Every_recording_of_the_shared_data_agrees()
    {
        var (code, output, error) = await ConsoleRun.RunAsync(
            "verify", "tokenizer", TestData.Path("golden/tokenizer"), "--tokenizer", TestData.Path("data/phi3v-tokenizer"));
        Assert.True(code == 0, output + error);
    }

    private Dictionary<string, object> TextCase()
    {
        int[] ids = _tokenizer.Encode(Text), withoutBos = _tokenizer.Encode(Text, addBos: false);
        return new()
        {
            ["text"] = Text,
            ["ids"] = ids,
            ["ids_no_bos"] = withoutBos,
            // The reference gives an added token with the white space that it swallowed.
            ["tokens"] = withoutBos.Select(id => _tokenizer.Token(id) + (_tokenizer.Token(id) == "<|assistant|>" ? " \n" : "")).ToArray(),
            ["decoded"] = _tokenizer.Decode(ids, skipSpecial: false),
            ["decoded_skip_special"] = _tokenizer.Decode(ids),
            ["decoded_no_bos"] = _tokenizer.Decode(withoutBos, skipSpecial: false),
        };
    }

    private Dictionary<string, object> PromptCase()
    {
        int[] before = _tokenizer.Encode("Hats "), after = _tokenizer.Encode(" Coats");
        return new()
        {
            ["prompt"] = "Hats <|image_1|> Coats",
            ["num_img_tokens"] = new[] { 2 },
            ["chunks"] = new[] { new { text = "Hats ", ids = before }, new { text = " Coats", ids = after } },
            ["input_ids"] = (int[])[.. before, -1, -1, .. after],
            ["input_ids_rle"] = (int[][])[.. before.Select(id => new[] { id, 1 }), [-1, 2], .. after.Select(id => new[] { id, 1 })],
            ["length"] = before.Length + 2 + after.Length,
        };
    }

    private void Write(string file, object line) => File.WriteAllText(Path.Combine(_folder, file), JsonSerializer.Serialize(line) + "\n");

    private Task<(int Code, string Output, string Error)> VerifyAsync() =>
        ConsoleRun.RunAsync("verify", "tokenizer", _folder, "--tokenizer", _folder);
}
