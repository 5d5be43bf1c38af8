using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Text;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Encodes and decodes recorded texts and builds recorded prompts; all results must be equal.</summary>
internal sealed class TokenizerVerifier(Tokenizer tokenizer)
{
    private const string TextsName = "cases.jsonl";
    private const string DecodeName = "decode_cases.jsonl";
    private const string PromptsName = "prompt_cases.jsonl";
    private const string RefusedName = "prompt_error_cases.jsonl";

    /// <summary>Yields a report for each file of each recording.</summary>
    /// <exception cref="CommandException">The folder has no recording.</exception>
    public IEnumerable<CaseReport> Verify(string root) =>
        CaseFolders.Find(root, TextsName, DecodeName, PromptsName, RefusedName).SelectMany(folder =>
            new (string File, Action<JsonElement, FieldCounts> Compare)[]
            {
                (TextsName, CompareText), (DecodeName, CompareDecoded), (PromptsName, ComparePrompt), (RefusedName, CompareRefused),
            }.SelectMany(kind => CaseFolders.Report(root, [folder], (_, name) => [Report(folder, name, kind.File, kind.Compare)])));

    private static CaseReport Report(string folder, string name, string file, Action<JsonElement, FieldCounts> compare)
    {
        var path = Path.Combine(folder, file);
        if (!File.Exists(path)) return new CaseReport($"{name} {file}", [], ["everything: the file is not there"]);
        var counts = new FieldCounts();
        var number = 0;
        foreach (var line in File.ReadLines(path).Where(line => line.Length > 0))
        {
            using var document = JsonDocument.Parse(line);
            counts.Line = $"line {++number}";
            compare(document.RootElement, counts);
        }
        return new CaseReport($"{name} {file} ({number} lines)", counts.Comparisons(), counts.NotChecked());
    }

    private void CompareText(JsonElement line, FieldCounts counts)
    {
        var text = line.GetProperty("text").GetString()!;
        var (ids, withoutBos) = (tokenizer.Encode(text), tokenizer.Encode(text, addBos: false));
        foreach (var field in line.EnumerateObject())
        {
            switch (field.Name)
            {
                case "id" or "cat" or "text": break;
                case "ids": counts.Equal(field.Name, Ids(field.Value), ids); break;
                case "ids_no_bos": counts.Equal(field.Name, Ids(field.Value), withoutBos); break;
                case "tokens":
                    counts.Equal(
                        field.Name,
                        field.Value.EnumerateArray().Select((token, i) => Own(token.GetString()!, withoutBos, i)),
                        withoutBos.Select(id => tokenizer.Token(id) ?? ""));
                    break;
                case "decoded":
                    counts.Equal(field.Name, field.Value.GetString(), tokenizer.Decode(Ids(line.GetProperty("ids")), skipSpecial: false));
                    break;
                case "decoded_skip_special":
                    counts.Equal(field.Name, field.Value.GetString(), tokenizer.Decode(Ids(line.GetProperty("ids"))));
                    break;
                case "decoded_no_bos":
                    counts.Equal(
                        field.Name, field.Value.GetString(), tokenizer.Decode(Ids(line.GetProperty("ids_no_bos")), skipSpecial: false));
                    break;
                default: counts.NotCompared(field.Name, "unknown"); break;
            }
        }
    }

    private void CompareDecoded(JsonElement line, FieldCounts counts)
    {
        var ids = Ids(line.GetProperty("ids"));
        foreach (var field in line.EnumerateObject())
        {
            switch (field.Name)
            {
                case "id" or "ids": break;
                case "decoded": counts.Equal(field.Name, field.Value.GetString(), tokenizer.Decode(ids, skipSpecial: false)); break;
                case "decoded_skip_special": counts.Equal(field.Name, field.Value.GetString(), tokenizer.Decode(ids)); break;
                default: counts.NotCompared(field.Name, "unknown"); break;
            }
        }
    }

    private void ComparePrompt(JsonElement line, FieldCounts counts)
    {
        var ids = PromptBuilder.Build(tokenizer, line.GetProperty("prompt").GetString()!, Ids(line.GetProperty("num_img_tokens")));
        foreach (var field in line.EnumerateObject())
        {
            switch (field.Name)
            {
                case "id" or "prompt" or "num_img_tokens": break;
                case "input_ids": counts.Equal(field.Name, Ids(field.Value), ids); break;
                case "length": counts.Equal(field.Name, field.Value.GetInt32(), ids.Length); break;
                case "input_ids_rle":
                    counts.Equal(
                        field.Name,
                        field.Value.EnumerateArray().SelectMany(run => Enumerable.Repeat(run[0].GetInt32(), run[1].GetInt32())),
                        ids);
                    break;
                case "chunks": CompareChunks(field.Value, ids, counts); break;
                default: counts.NotCompared(field.Name, "unknown"); break;
            }
        }
    }

    /// <summary>Compares each chunk's ids with its encoding, and the prompt's text ids with the chunks in order.</summary>
    private void CompareChunks(JsonElement chunks, int[] ids, FieldCounts counts)
    {
        if (chunks.ValueKind == JsonValueKind.Null) return;
        counts.Equal("chunks", chunks.EnumerateArray().SelectMany(chunk => Ids(chunk.GetProperty("ids"))), ids.Where(id => id >= 0));
        // Every chunk has a begin token of its own, as the published processor tokenizes the chunks one by one.
        foreach (var chunk in chunks.EnumerateArray())
            counts.Equal("chunk ids", Ids(chunk.GetProperty("ids")), tokenizer.Encode(chunk.GetProperty("text").GetString()!));
    }

    private void CompareRefused(JsonElement line, FieldCounts counts)
    {
        var refused = false;
        try
        {
            PromptBuilder.Build(tokenizer, line.GetProperty("prompt").GetString()!, Ids(line.GetProperty("num_img_tokens")));
        }
        catch (ArgumentException)
        {
            refused = true;
        }
        counts.Equal("refused", true, refused);
        foreach (var field in line.EnumerateObject())
        {
            if (field.Name is not ("id" or "prompt" or "num_img_tokens"))
                counts.NotCompared(field.Name, field.Name == "error" ? "the wording is this project's own" : "unknown");
        }
    }

    /// <summary>
    /// Removes the white space that the reference includes in the text of an added token, so that only the token itself is compared.
    /// </summary>
    private string Own(string recorded, int[] ids, int position)
    {
        var token = position < ids.Length ? tokenizer.Token(ids[position]) : null;
        var swallowed = token is ['<', .., '>'] && recorded.StartsWith(token, StringComparison.Ordinal)
            && string.IsNullOrWhiteSpace(recorded[token.Length..]);
        return swallowed ? token! : recorded;
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];
}

/// <summary>Counts the lines of a recording in which each field differs, and keeps the first difference of each.</summary>
internal sealed class FieldCounts
{
    private readonly Dictionary<string, (int Differing, string? First)> _fields = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _notCompared = new(StringComparer.Ordinal);

    /// <summary>Identifies the current line in messages.</summary>
    public string Line { get; set; } = "";

    public void Equal<T>(string field, IEnumerable<T> expected, IEnumerable<T> actual)
    {
        var comparison = Comparison.Exact(field, expected, actual);
        Count(field, comparison.Fits, comparison.Detail);
    }

    public void Equal(string field, string? expected, string actual) =>
        Count(field, expected == actual, $"\"{actual}\", but \"{expected}\" is recorded");

    public void Equal<T>(string field, T expected, T actual) where T : struct =>
        Count(field, EqualityComparer<T>.Default.Equals(expected, actual), $"{actual}, but {expected} is recorded");

    public void NotCompared(string field, string reason) => _notCompared[field] = reason;

    public IReadOnlyList<Comparison> Comparisons() =>
        [.. _fields.Select(field => new Comparison(field.Key, field.Value.Differing, 0, field.Value.First))];

    public IReadOnlyList<string> NotChecked() => [.. _notCompared.Select(field => $"{field.Key}: {field.Value}")];

    private void Count(string field, bool equal, string? detail)
    {
        var (differing, first) = _fields.GetValueOrDefault(field);
        _fields[field] = equal ? (differing, first) : (differing + 1, first ?? $"{Line}: {detail}");
    }
}
