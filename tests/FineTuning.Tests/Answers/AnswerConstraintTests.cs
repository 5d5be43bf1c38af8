using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;
using Xunit.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests.Answers;

public sealed class AnswerConstraintTests(ITestOutputHelper output)
{
    private static readonly Tokenizer Tokens = SmallModel.Tokenizer;

    [Theory]
    [InlineData(AnswerTemplate.Default, 64)]
    [InlineData(AnswerTemplate.Default, 36)]
    [InlineData("{title}, {category}, {price}", 12)]
    [InlineData("<{title}>, '{category}' class, {price} €", 40)]
    public void Whatever_a_model_prefers_its_answers_are_read_and_name_known_categories(string template, int maxTokens)
    {
        string[] categories = ["Coat", "Coats", "Coats & Hats", "Kåper 😀"];
        var settings = new ServingSettings
        {
            AnswerTemplate = template,
            Values = Categories(categories),
            FieldSets = [["title", "category", "price"], ["title", "category"]],
        };
        var rows = new RowBuilder(Tokens, settings);
        var constraint = new AnswerConstraint(Tokens, settings, rows.StopTokens);
        foreach (var seed in Enumerable.Range(0, 300))
        {
            var text = rows.Decode(Draw(constraint, rows.StopTokens, maxTokens, new Random(seed)));
            var answer = rows.Read(text);
            Assert.True(answer is not null, text);
            Assert.Contains(answer.Category, categories);
            Assert.False(string.IsNullOrWhiteSpace(answer.Title), text);
            Assert.DoesNotContain('\n', text);
        }
    }

    [Theory]
    [InlineData("Product: {title}, Category: {category}, Full Price: {price}")]
    [InlineData("Category: {category}, Full Price: {price}, Product: {title}")]
    [InlineData("{category}, {title}")]
    [InlineData("Category: {category}, Product: {title}, Full Price: {price}")]
    public void Tokens_that_begin_in_a_label_and_end_in_a_value_keep_to_the_known_categories(string template)
    {
        var file = JsonNode.Parse(Tokens.Json.Span)!;
        string[] straddling =
        [
            ":▁S", "s,▁Category:▁Sh", ",▁Full▁Price:▁3", ",▁S", ",▁", "x,▁Category", ":▁,▁Category:▁", "Shoes,▁Pro", "duct:▁x",
        ];
        foreach (var (token, i) in straddling.Select((token, i) => (token, i)))
            file["model"]!["vocab"]![token] = Tokens.VocabularySize + i;
        var tokens = Tokenizer.Parse(file.ToJsonString());
        string[] categories = ["Shoes", "Shirts", "Sh"];
        var settings = new ServingSettings { AnswerTemplate = template, Values = Categories(categories) };
        var rows = new RowBuilder(tokens, settings);
        var constraint = new AnswerConstraint(tokens, settings, rows.StopTokens);
        var labels = rows.Answers.Parts.SkipWhile(part => part.Field.Name != FieldDefinition.Title).Skip(1)
            .Select(part => AnswerTemplate.Separator + part.Before).ToList();
        // Mostly tokens of the labels: others make a text in which they are rare.
        var pieces = Enumerable.Range(0, tokens.VocabularySize)
            .Where(id => template.Contains(Encoding.UTF8.GetString(tokens.Bytes(id)).Trim(), StringComparison.Ordinal)).ToHashSet();
        pieces.UnionWith(Enumerable.Range(Tokens.VocabularySize, straddling.Length));
        foreach (var seed in Enumerable.Range(0, 500))
        {
            var random = new Random(seed);
            var text = rows.Decode(Draw(constraint, rows.StopTokens, 60, random, tokens.VocabularySize, pieces));
            var answer = rows.Read(text);
            Assert.True(answer is not null, text);
            Assert.True(answer.Category is null || categories.Contains(answer.Category), text);
            Assert.All(labels, label => Assert.DoesNotContain(label, answer.Title ?? ""));
        }
    }

    [TestDataFact("data/phi3v-tokenizer")]
    public void Answers_in_the_published_vocabulary_are_read_and_name_known_categories()
    {
        var tokens = Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"));
        string[] categories = [.. Enumerable.Range(0, 999).Select(i => $"Clothing > Größe {i % 37} > {i}")];
        var settings = new ServingSettings { Values = Categories(categories), FieldSets = [["title", "category", "price"]] };
        var rows = new RowBuilder(tokens, settings);
        var constraint = new AnswerConstraint(tokens, settings, rows.StopTokens);
        foreach (var seed in Enumerable.Range(0, 30))
        {
            var text = rows.Decode(Draw(constraint, rows.StopTokens, 64, new Random(seed), tokens.VocabularySize));
            Assert.True(rows.Read(text) is { Title: not null, Price: not null }, text);
            Assert.Contains(rows.Read(text)!.Category, categories);
        }
    }

    [Theory]
    [InlineData(120, 2)]
    [InlineData(60, 1)]
    public void Further_fields_have_values_of_their_kind(int maxTokens, int items)
    {
        string[] brands = ["Acme", "Acme & Co"], materials = ["cotton", "wool", "steel"];
        var settings = new ServingSettings
        {
            AnswerTemplate = "Product: {title}, Brand: {brand}, Weight: {weight}, Materials: {materials}",
            Definitions =
            [
                .. FieldDefinition.Defaults, new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"),
                new("materials", FieldKind.List),
            ],
            Values = new Dictionary<string, IReadOnlyList<string>> { ["brand"] = brands, ["materials"] = materials },
            FieldSets = [["title", "brand", "weight", "materials"], ["brand", "weight", "materials"], ["brand", "weight"]],
        };
        var rows = new RowBuilder(Tokens, settings);
        var constraint = new AnswerConstraint(Tokens, settings, rows.StopTokens);
        var longest = 0;
        foreach (var seed in Enumerable.Range(0, 300))
        {
            var text = rows.Decode(Draw(constraint, rows.StopTokens, maxTokens, new Random(seed)));
            var fields = rows.Read(text)?.Fields;
            Assert.True(fields is not null, text);
            Assert.Contains(fields["brand"].Text, brands);
            Assert.NotNull(fields["weight"].Number);
            if (!fields.TryGetValue("materials", out var list)) continue;
            Assert.Subset(materials.ToHashSet(), list.Items!.ToHashSet());
            longest = Math.Max(longest, list.Items!.Count);
        }
        Assert.InRange(longest, items, maxTokens);
    }

    [TestDataFact("data/phi3v-tokenizer")]
    public void Hundreds_of_values_in_many_fields_take_little_time_and_memory()
    {
        var tokens = Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"));
        string[] words = ["Alder", "Birch", "Cedar", "Dahlia", "Elm", "Fern", "Größe", "Hazel", "Iris", "Juniper"];
        IReadOnlyList<string> Names(int count, string kind) =>
            [.. Enumerable.Range(0, count).Select(i => $"{words[i % 10]} {words[i / 10 % 10]} {kind} {i}")];
        FieldDefinition[] further =
        [
            new("brand", FieldKind.Category), new("colour", FieldKind.Category), new("weight", FieldKind.Number, "g"),
            new("materials", FieldKind.List), new("care", FieldKind.Text),
        ];
        var template = AnswerTemplate.Default
            + ", Brand: {brand}, Colour: {colour}, Weight: {weight}, Materials: {materials}, Care: {care}";
        var random = new Random(1);
        string[] names = [.. FieldDefinition.Defaults.Concat(further).Select(field => field.Name)];
        var settings = new ServingSettings
        {
            AnswerTemplate = template,
            Definitions = [.. FieldDefinition.Defaults, .. further],
            Values = new Dictionary<string, IReadOnlyList<string>>
            {
                ["category"] = Names(300, "wear"), ["brand"] = Names(300, "Ltd"), ["colour"] = Names(300, "tone"),
                ["materials"] = Names(100, "fibre"),
            },
        };
        IReadOnlyList<IReadOnlyList<string>>?[] cases =
        [
            [names], [.. Enumerable.Range(0, 31).Select(_ => names.Where(_ => random.Next(3) > 0).ToList())], null,
        ];
        foreach (var sets in cases)
        {
            var limited = settings with { FieldSets = sets };
            var rows = new RowBuilder(tokens, limited);
            var clock = Stopwatch.StartNew();
            var language = new AnswerLanguage(limited.ToAnswerTemplate(), limited.Values, limited.FieldSets);
            var build = clock.Elapsed.TotalMilliseconds;
            var constraint = new AnswerConstraint(tokens, limited, rows.StopTokens);
            var perToken = new List<double>();
            foreach (var seeds in Enumerable.Range(0, 30).Chunk(10))
            {
                var count = 0;
                var spent = TimeSpan.Zero;
                foreach (var seed in seeds)
                {
                    var ids = Draw(constraint, rows.StopTokens, 160, new Random(seed), tokens.VocabularySize);
                    Assert.NotNull(rows.Read(rows.Decode(ids)));
                    var answer = constraint.Begin(160);
                    var forbidden = new bool[tokens.VocabularySize];
                    clock.Restart();
                    foreach (var id in ids)
                    {
                        Array.Fill(forbidden, true);
                        answer.Allow(forbidden);
                        answer.Add(id);
                    }
                    spent += clock.Elapsed;
                    count += ids.Count;
                }
                perToken.Add(spent.TotalMilliseconds / count);
            }
            output.WriteLine(
                $"{sets?.Count.ToString() ?? "any"} sets: {language.Count} states in {build:0} ms, " +
                $"{string.Join(", ", perToken.Select(ms => $"{ms:0.000}"))} ms a token");
            Assert.InRange(language.Count, 1, 150_000);
            Assert.True(perToken[^1] < 2, $"{perToken[^1]} ms a token");
        }
    }

    [Theory]
    [InlineData("Product: Red Hat, Category: Hats, Full Price: 249.5")]
    [InlineData("Product: Kåpe 😀, Category: Hats")]
    [InlineData("Category: Bags & Hats")]
    public void Every_token_of_a_valid_answer_is_allowed_and_the_end_only_where_the_text_is_one(string text)
    {
        var settings = new ServingSettings { Values = Categories("Hats", "Bags & Hats") };
        var rows = new RowBuilder(Tokens, settings);
        var answer = new AnswerConstraint(Tokens, settings, rows.StopTokens).Begin(200);
        var ids = Tokens.Encode(text, addBos: false);
        foreach (var (id, i) in ids.Select((id, i) => (id, i)))
        {
            var allowed = Allowed(answer);
            Assert.Contains(id, allowed);
            if (allowed.Overlaps(rows.StopTokens))
                Assert.True(rows.Read(rows.Decode(ids[..i])) is { Category: null or "Hats" or "Bags & Hats" });
            answer.Add(id);
        }
        Assert.Superset(rows.StopTokens.ToHashSet(), Allowed(answer));
    }

    [Fact]
    public void An_answer_that_cannot_fit_goes_straight_towards_its_end()
    {
        var settings = new ServingSettings { AnswerTemplate = "XYZ=XYZ={category}" };
        var rows = new RowBuilder(Tokens, settings);
        var constraint = new AnswerConstraint(Tokens, settings, rows.StopTokens);
        Assert.All(Enumerable.Range(0, 20), seed =>
            Assert.Equal("XYZ", rows.Decode(Draw(constraint, rows.StopTokens, 3, new Random(seed)))));
    }

    [Fact]
    public void An_answer_that_has_ended_allows_anything()
    {
        var rows = new RowBuilder(Tokens, new ServingSettings());
        var answer = new AnswerConstraint(Tokens, new ServingSettings(), rows.StopTokens).Begin(50);
        foreach (var id in Tokens.Encode("Category: Hats", addBos: false)) answer.Add(id);
        answer.Add(rows.StopTokens.First());
        Assert.Equal(Tokens.VocabularySize, Allowed(answer).Count);
        answer.Add(0);
        Assert.Equal(Tokens.VocabularySize, Allowed(answer).Count);
    }

    private static Dictionary<string, IReadOnlyList<string>> Categories(params string[] names) => new() { ["category"] = names };

    private static List<int> Draw(
        AnswerConstraint constraint, IReadOnlySet<int> stops, int maxTokens, Random random, int? vocabulary = null,
        IReadOnlySet<int>? preferred = null)
    {
        var answer = constraint.Begin(maxTokens);
        var ids = new List<int>();
        while (ids.Count < maxTokens)
        {
            var allowed = Allowed(answer, vocabulary);
            if (preferred is not null && random.Next(8) > 0 && allowed.Overlaps(preferred)) allowed.IntersectWith(preferred);
            var id = random.GetItems([.. allowed], 1)[0];
            if (stops.Contains(id)) break;
            answer.Add(id);
            ids.Add(id);
        }
        return ids;
    }

    private static HashSet<int> Allowed(IConstrainedAnswer answer, int? vocabulary = null)
    {
        var forbidden = Enumerable.Repeat(true, vocabulary ?? Tokens.VocabularySize).ToArray();
        answer.Allow(forbidden);
        return [.. Enumerable.Range(0, forbidden.Length).Where(id => !forbidden[id])];
    }
}
