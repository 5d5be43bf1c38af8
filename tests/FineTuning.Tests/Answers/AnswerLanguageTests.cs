using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;

namespace FunctionsPipeline.FineTuning.Tests.Answers;

public sealed class AnswerLanguageTests
{
    private static readonly AnswerTemplate Template = new(AnswerTemplate.Default);

    private static readonly FieldDefinition[] Fields =
    [
        .. FieldDefinition.Defaults, new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List),
        new("care", FieldKind.Text),
    ];

    [Theory]
    [InlineData("Product: Red Coat, Category: Coats, Full Price: 120")]
    [InlineData(" Product: Red Coat, Category: Coats, Full Price: 120.50")]
    [InlineData("Product: Red Coat, size 5, Category: Coat")]
    [InlineData("Product: Café 😀, Full Price: 3")]
    [InlineData("Category: Coats")]
    [InlineData("Full Price: 999999999999")]
    [InlineData("Product: Category: none, Categor , Full Price")]
    public void Answers_of_the_template_with_known_categories_belong_to_it(string text) => Assert.True(Belongs(text));

    [Theory]
    [InlineData("")]
    [InlineData("Product: ")]
    [InlineData("Product:  ")]
    [InlineData("Product: \u00A0")]
    [InlineData("Product: Red\nCoat")]
    [InlineData("Product: Red\u2028Coat")]
    [InlineData("  Product: Red Coat")]
    [InlineData("Product: Red Coat, Category: Boats")]
    [InlineData("Product: Red Coat, Category: Coa")]
    [InlineData("Product: Red Coat, Category: Red, Category: Coats")]
    [InlineData("Full Price: 1.")]
    [InlineData("Full Price: 1000000000000")]
    [InlineData("Full Price: cheap")]
    [InlineData("Product: Red Coat, Full Price: 3, Category: Coats")]
    [InlineData("Product: Coats ")]
    [InlineData("Product: Coats, Category: ")]
    [InlineData("Product: Coats, Category: , Category: Hats")]
    [InlineData("Product: Coats, Category:, Category: , Full Price: 3")]
    [InlineData("Product: , Category: Hats")]
    [InlineData("Product: Coats, Full Price: low")]
    public void Other_texts_do_not(string text) => Assert.False(Belongs(text));

    [Fact]
    public void Only_given_sets_of_fields_belong_to_it()
    {
        var language = new AnswerLanguage(Template, Categories("Coats"), [["title", "category", "price"], ["price"]]);
        Assert.True(Belongs("Product: a, Category: Coats, Full Price: 1", language));
        Assert.True(Belongs("Full Price: 1", language));
        Assert.False(Belongs("Product: a, Category: Coats", language));
        Assert.False(Belongs("Category: Coats", language));
    }

    [Theory]
    [InlineData("{title}, {price}")]
    [InlineData("<{title}>, '{category}' class, {price} €")]
    [InlineData("Größe {category}, Preis: {price}")]
    public void The_rest_of_every_state_completes_an_answer_that_the_template_reads(string text)
    {
        var template = new AnswerTemplate(text);
        var language = new AnswerLanguage(template);
        var reached = new Dictionary<int, string> { [AnswerLanguage.Start] = "" };
        var queue = new Queue<int>([AnswerLanguage.Start]);
        while (queue.TryDequeue(out var state))
        {
            Assert.NotNull(template.Read(reached[state] + language.Rest(state)));
            foreach (var rune in $"{text}1a 'x>.".EnumerateRunes())
            {
                if (language.Next(state, rune) is >= 0 and var next && reached.TryAdd(next, reached[state] + rune)) queue.Enqueue(next);
            }
        }
        Assert.Equal(language.Count, reached.Count);
    }

    [Fact]
    public void Categories_that_the_template_cannot_read_back_are_left_out()
    {
        var language = new AnswerLanguage(Template, Categories("Coats", "Hats, Full Price: 3", " Bags"));
        Assert.True(Belongs("Category: Coats", language));
        Assert.False(Belongs("Category:  Bags", language));
        Assert.False(Belongs("Category: Hats, Full Price: 3, Full Price: 4", language));
    }

    [Theory]
    [InlineData("Brand: Acme, Weight: 120.5 g net, Made of cotton; wool; cotton, Care: Wash cold, by hand")]
    [InlineData("Weight: 7 g net")]
    [InlineData("Brand: Acme & Co, Made of wool")]
    public void Answers_with_fields_of_every_kind_belong_to_it(string text) => Assert.True(Belongs(text, Further()));

    [Theory]
    [InlineData("Brand: Acne")]
    [InlineData("Weight: 7 kg net")]
    [InlineData("Weight: 7")]
    [InlineData("Made of wool; ")]
    [InlineData("Made of wool; silk")]
    [InlineData("Made of wool;cotton")]
    [InlineData("Made of silk; x")]
    [InlineData("Made of wool, Brand: Acme")]
    public void Other_values_of_these_fields_do_not(string text) => Assert.False(Belongs(text, Further()));

    [Fact]
    public void Sets_of_fields_do_not_multiply_the_values()
    {
        var fields = "abcdefgh".Select(name => new FieldDefinition($"{name}", FieldKind.Category)).ToList();
        var template = new AnswerTemplate(string.Join(", ", fields.Select(field => $"{field.Name}: {{{field.Name}}}")), fields);
        var values = fields.ToDictionary(
            field => field.Name, IReadOnlyList<string> (_) => [.. Enumerable.Range(0, 100).Select(i => $"{i * 7919 % 1000:D3}")]);
        var one = new AnswerLanguage(template, values, [[.. fields.Select(field => field.Name)]]);
        var any = new AnswerLanguage(template, values);
        Assert.InRange(any.Count, one.Count, 1.1 * one.Count);
        var random = new Random(1);
        var some = new AnswerLanguage(template, values, [.. Enumerable.Range(0, 31)
            .Select(_ => fields.Select(field => field.Name).Where(_ => random.Next(4) > 0).ToList())]);
        Assert.InRange(some.Count, one.Count, 8 * one.Count);
    }

    [Theory]
    [InlineData("title,price", "Product: a, Category: b, Full Price: 1", "Product: a, Category; b, Full Price: 1")]
    [InlineData("title,category", "Product: a, Full Price: 3, Category: b", "Product: a, Price: 3, Category: b")]
    [InlineData("title", "Product: a, Full Price: 3", "Product: a, Full Price 3")]
    [InlineData("category", "Category: b, Full Price: 3", "Category: b, Full Price:3")]
    public void The_label_of_a_field_that_may_not_follow_is_no_text(string set, string with, string without)
    {
        var language = new AnswerLanguage(Template, fieldSets: [set.Split(',')]);
        Assert.False(Belongs(with, language));
        Assert.True(Belongs(without, language));
    }

    [Theory]
    [InlineData("Product: {title}, Category: {category}, Full Price: {price}")]
    [InlineData("Product: {title}, Category: {category}, Full Price: {price}", "title category price", "title price", "category")]
    [InlineData("Category: {category}, Full Price: {price}, Product: {title}", "category price title", "title")]
    [InlineData("{title}, {category}, {price}")]
    [InlineData("{title}, {category}, {price}", "title category price", "title category")]
    [InlineData("{title}, {price}, {care}", "title price care", "title care")]
    [InlineData("{title}, {price}, {care}", "title care")]
    [InlineData("{materials}, {title}")]
    [InlineData("{title},  {care}, {category}")]
    [InlineData(" {title} , {care} , {price} ")]
    [InlineData("Product: {title},  {care}, {price}")]
    [InlineData("Product: {title}, {care}, {price}", "care price", "title care")]
    [InlineData("{title} >, {price}>, >{care}>", "title care")]
    [InlineData("<{title}>, '{category}' class, {care} €, {price} €")]
    [InlineData("{title} made, {care}", "title care", "care")]
    [InlineData("{title}, Size long: {care}, Size {category}, S{price}")]
    [InlineData("{title}, Size long: {care}, Size {category}, S{price}", "title category", "title care price")]
    [InlineData("Size {title}, Size long: {care}, S{category}", "title category", "care")]
    [InlineData("Made of {materials}, Weight: {weight} net, Care: {care}")]
    [InlineData("Made of {materials}, Weight: {weight} net, Care: {care}", "materials care", "weight care")]
    [InlineData("Care: {care}, Made of {materials}; wool, Weight: {weight}")]
    [InlineData("{care}, Made of {materials}, wool; x{weight}, wool; {title}")]
    public void Whatever_is_written_is_read_as_values_that_are_allowed(string template, params string[] sets) =>
        AssertReadsBack(template, sets, Enumerable.Range(0, 500));

    [Fact]
    public void Whatever_is_written_by_any_template_is_read_as_values_that_are_allowed()
    {
        string[] around = ["", "", "", "S", "Size ", "Size long: ", ":", ": ", " ", ",", "; ", "x", "1", "made of ", "'"];
        foreach (var seed in Enumerable.Range(0, 300))
        {
            var random = new Random(seed);
            var fields = Fields.Select(field => field.Name).ToArray();
            random.Shuffle(fields);
            fields = fields[..random.Next(1, fields.Length)];
            string[] parts = [.. fields.Select(field => $"{Around()}{{{field}}}{(random.Next(3) == 0 ? Around() : "")}")];
            string[] sets = [.. Enumerable.Range(0, random.Next(4))
                .Select(_ => string.Join(' ', fields.Where(_ => random.Next(3) > 0))).Where(set => set.Length > 0)];
            AssertReadsBack(string.Join(AnswerTemplate.Separator, parts), sets, Enumerable.Range(0, 30));

            string Around() => random.GetItems(around, 1)[0];
        }
    }

    private static void AssertReadsBack(string form, string[] sets, IEnumerable<int> seeds)
    {
        var template = new AnswerTemplate(form, Fields);
        var parts = template.Parts;
        var known = new Dictionary<string, IReadOnlyList<string>>
        {
            ["category"] = ["Coat", "Coats", "Coats, Size", "12", "long: x", " Hats", "S, S1"],
            ["materials"] = ["wool", "cotton", "a, wool", "x1", "silk, Weight: 3", "12"],
        };
        var language = new AnswerLanguage(template, known, sets.Length == 0 ? null : [.. sets.Select(set => set.Split(' '))]);
        string[] pieces =
        [
            .. parts.SelectMany((part, i) => parts.Skip(i + 1).Select(next => Label(part, next))),
            .. parts.SelectMany(part => new[] { part.Before, part.After }).Where(text => text.Length > 0),
            .. known.Values.SelectMany(value => value), ", ", ",", "; ", " ", "x", "1", "12", ".", ">", "S",
        ];
        var read = new HashSet<string>();
        foreach (var seed in seeds)
        {
            var text = Write(language, pieces, new Random(seed));
            var answer = template.Read(text);
            Assert.True(answer is not null, $"'{form}' does not read '{text}'");
            var values = parts.Select(part => (part.Field, Value: answer.ValueOf(part.Field.Name))).ToList();
            read.Add(string.Join(' ', values.Where(field => field.Value is not null).Select(field => field.Field.Name)));
            Assert.All(values, field => Assert.True(
                field.Value is null || !known.TryGetValue(field.Field.Name, out var allowed)
                    || (field.Value.Items ?? [field.Value.Text!]).All(item => allowed.Contains(item)),
                $"'{form}' reads the {field.Field.Name} '{field.Value}' in '{text}'"));
            for (var i = 0; i < parts.Count; i++)
            {
                if (parts[i].Field.Kind != FieldKind.Text || values[i].Value is not { } value) continue;
                Assert.All(parts.Skip(i + 1).Where(next => next.Field.Kind != FieldKind.Number), next => Assert.False(
                    value.Text!.Contains(Label(parts[i], next), StringComparison.Ordinal),
                    $"'{form}' reads a text with '{Label(parts[i], next)}' in '{text}'"));
            }
        }
        // Sets that the template cannot read back are left out, and any is allowed when none is left.
        if (!read.IsSubsetOf(sets)) Assert.Equal(new AnswerLanguage(template, known).Count, language.Count);

        static string Label(AnswerPart part, AnswerPart next) => $"{part.After}{AnswerTemplate.Separator}{next.Before}";
    }

    /// <summary>Writes an answer by chance, above all from pieces of its labels.</summary>
    private static string Write(AnswerLanguage language, string[] pieces, Random random)
    {
        var text = new StringBuilder();
        var state = AnswerLanguage.Start;
        for (var i = 0; i < 40 && !(language.IsComplete(state) && random.Next(8) == 0); i++)
        {
            foreach (var rune in random.GetItems(pieces, 1)[0].EnumerateRunes())
            {
                if (language.Next(state, rune) is not (>= 0 and var next)) break;
                state = next;
                text.Append(rune);
            }
        }
        return text + language.Rest(state);
    }

    private static AnswerLanguage Further() => new(
        new AnswerTemplate("Brand: {brand}, Weight: {weight} net, Made of {materials}, Care: {care}",
        [
            new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List),
            new("care", FieldKind.Text),
        ]),
        new Dictionary<string, IReadOnlyList<string>>
        {
            ["brand"] = ["Acme", "Acme & Co"], ["materials"] = ["cotton", "wool", "silk; x", "silk, Care: none"],
        });

    private static Dictionary<string, IReadOnlyList<string>> Categories(params string[] names) => new() { ["category"] = names };

    private static bool Belongs(string text) => Belongs(text, new AnswerLanguage(Template, Categories("Coat", "Coats", "Hats")));

    private static bool Belongs(string text, AnswerLanguage language)
    {
        var state = text.EnumerateRunes().Aggregate(
            AnswerLanguage.Start, (state, rune) => state < 0 ? state : language.Next(state, rune));
        return state >= 0 && language.IsComplete(state);
    }
}
