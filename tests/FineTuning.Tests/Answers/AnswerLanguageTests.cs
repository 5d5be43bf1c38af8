using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;

namespace FunctionsPipeline.FineTuning.Tests.Answers;

public sealed class AnswerLanguageTests
{
    private static readonly AnswerTemplate Template = new(AnswerTemplate.Default);

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
