namespace FunctionsPipeline.Contracts.Tests;

public sealed class AnswerTemplateTests
{
    private static readonly AnswerTemplate Template = new(AnswerTemplate.Default);

    [Theory]
    [InlineData("Vintage Check Coat, Long", "OUTERWEAR", 1990.5)]
    [InlineData("Hat", null, null)]
    [InlineData(null, "dress", null)]
    [InlineData(null, null, 12.0)]
    [InlineData("Coat", "OUTERWEAR", null)]
    public void An_answer_reads_back_what_it_says(string? title, string? category, double? price)
    {
        var answer = new Answer(title, category, price);
        Assert.Equal(answer, Template.Read(answer.ToString()));
    }

    [Fact]
    public void The_values_are_found_in_the_text_without_white_space_around_them()
    {
        const string text = "  Product:  Red Coat , Full Price: 12 ";
        var fields = Template.Find(text);
        Assert.Equal(["title", "price"], fields.Keys);
        Assert.Equal(["Red Coat", "12"], fields.Values.Select(range => text[range]));
        Assert.Empty(Template.Find("a red coat"));
    }

    [Fact]
    public void The_words_are_those_of_the_prompt_template() =>
        Assert.Equal("Product: Red Coat, Category: COATS, Full Price: 120", new Answer("Red Coat", "COATS", 120).ToString());

    [Fact]
    public void Further_fields_are_written_and_read_by_their_kinds()
    {
        var template = new AnswerTemplate("Product: {title}, Brand: {brand}, Weight: {weight} each, Made of {materials}",
        [
            .. FieldDefinition.Defaults, new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"),
            new("materials", FieldKind.List),
        ]);
        var answer = new Answer("Red Coat", null, null)
        {
            Fields = new FieldValues(new Dictionary<string, FieldValue>
            {
                ["brand"] = new("Acme"), ["weight"] = new(250.125), ["materials"] = new(["wool", "silk"]),
            }),
        };
        const string text = "Product: Red Coat, Brand: Acme, Weight: 250.125 g each, Made of wool; silk";
        Assert.Equal(text, template.Write(answer));
        Assert.Equal(answer, template.Read(text));
        Assert.Equal("250.125", text[template.Find(text)["weight"]]);
    }

    [Fact]
    public void The_default_template_is_followed_by_further_fields() => Assert.Equal(
        "Product: {title}, Category: {category}, Full Price: {price}, Brand: {brand}, X: {x}",
        AnswerTemplate.DefaultFor([new("brand", FieldKind.Text), new("x", FieldKind.Number, "g")]));

    [Theory]
    [InlineData("Shoes, Category: Boots", "SHOES", 3.0, "title")]
    [InlineData("Shoes, Category: Boots", null, null, "title")]
    [InlineData("Shoes", "Low, Full Price: 4", null, "category")]
    [InlineData("Shoes", "SHOES", 1e12, "category")]
    [InlineData(" Shoes, Full Price: low", "Category: SHOES", 3.125, null)]
    [InlineData(null, null, null, null)]
    public void An_answer_that_is_read_with_another_value_is_told(string? title, string? category, double? price, string? field) =>
        Assert.Equal(field, Template.Misread(new Answer(title, category, price))?.Name);

    [Fact]
    public void White_space_around_a_template_is_no_part_of_it()
    {
        var template = new AnswerTemplate(" Product: {title}, ({price}) \n");
        Assert.Equal("Product: Hat, (3)", template.Write(new Answer("Hat", null, 3)));
        Assert.Equal(new Answer("Hat", null, 3), template.Read("Product: Hat, (3)"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a red coat")]
    [InlineData("Full Price: cheap")]
    [InlineData("Price: 12")]
    public void Anything_else_is_no_answer(string text) => Assert.Null(Template.Read(text));

    [Fact]
    public void A_long_answer_that_repeats_itself_is_read_too()
    {
        var text = string.Concat(Enumerable.Repeat("Product: a, Category: ", 20_000));
        Assert.Null(Template.Read($"{text}Full Price: none")?.Price);
    }
}
