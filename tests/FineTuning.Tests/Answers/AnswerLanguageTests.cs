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
        var language = new AnswerLanguage(Template, ["Coats"], [["title", "category", "price"], ["price"]]);
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
        var language = new AnswerLanguage(Template, ["Coats", "Hats, Full Price: 3", " Bags"]);
        Assert.True(Belongs("Category: Coats", language));
        Assert.False(Belongs("Category:  Bags", language));
        Assert.False(Belongs("Category: Hats, Full Price: 3, Full Price: 4", language));
    }

    private static bool Belongs(string text) => Belongs(text, new AnswerLanguage(Template, ["Coat", "Coats", "Hats"]));

    private static bool Belongs(string text, AnswerLanguage language)
    {
        var state = text.EnumerateRunes().Aggregate(
            AnswerLanguage.Start, (state, rune) => state < 0 ? state : language.Next(state, rune));
        return state >= 0 && language.IsComplete(state);
    }
}
