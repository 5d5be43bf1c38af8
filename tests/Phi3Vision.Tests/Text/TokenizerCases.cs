using System.Text.Json;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

/// <summary>Recorded answers of the published tokenizer and processor, in a folder of .jsonl files, against ours.</summary>
internal sealed class TokenizerCases(string folder, Tokenizer tokenizer)
{
    public void Texts()
    {
        foreach (var line in Lines("cases.jsonl"))
        {
            var text = Text(line, "text");
            Assert.Equal(Ids(line, "ids"), tokenizer.Encode(text));
            Assert.Equal(Ids(line, "ids_no_bos"), tokenizer.Encode(text, addBos: false));
            // The white space that an added token swallows is recorded with it.
            var tokens = line.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!);
            Assert.Equal(
                tokens.Select(token => token.StartsWith('<') ? token.TrimEnd() : token), Ids(line, "ids_no_bos").Select(tokenizer.Token));
            Assert.Equal(Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), tokenizer.Decode(Ids(line, "ids")));
            Assert.Equal(Text(line, "decoded_no_bos"), tokenizer.Decode(Ids(line, "ids_no_bos"), skipSpecial: false));
        }
    }

    public void Decoding()
    {
        foreach (var line in Lines("decode_cases.jsonl"))
        {
            Assert.Equal(Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecial: false));
            Assert.Equal(Text(line, "decoded_skip_special"), tokenizer.Decode(Ids(line, "ids")));
        }
    }

    public void Prompts()
    {
        foreach (var line in Lines("prompt_cases.jsonl"))
        {
            var ids = PromptBuilder.Build(tokenizer, Text(line, "prompt"), Ids(line, "num_img_tokens"));
            var runs = line.GetProperty("input_ids_rle").EnumerateArray();
            Assert.Equal(runs.SelectMany(run => Enumerable.Repeat(run[0].GetInt32(), run[1].GetInt32())), ids);
            Assert.Equal(line.GetProperty("length").GetInt32(), ids.Length);
            if (line.TryGetProperty("input_ids", out _)) Assert.Equal(Ids(line, "input_ids"), ids);
            if (line.GetProperty("chunks") is not { ValueKind: JsonValueKind.Array } chunks) continue;
            foreach (var chunk in chunks.EnumerateArray()) Assert.Equal(Ids(chunk, "ids"), tokenizer.Encode(Text(chunk, "text")));
        }
    }

    public void RefusedPrompts()
    {
        foreach (var line in Lines("prompt_error_cases.jsonl"))
        {
            var error = Assert.Throws<ArgumentException>(
                () => PromptBuilder.Build(tokenizer, Text(line, "prompt"), Ids(line, "num_img_tokens")));
            Assert.Equal(Text(line, "error").Contains("continuous") ? "prompt" : "imageTokens", error.ParamName);
        }
    }

    private List<JsonElement> Lines(string file)
    {
        var lines = File.ReadLines(Path.Combine(folder, file)).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.NotEmpty(lines);
        return lines;
    }

    private static string Text(JsonElement line, string key) => line.GetProperty(key).GetString()!;

    private static int[] Ids(JsonElement line, string key) => [.. line.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
}
