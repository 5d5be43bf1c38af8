using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tests;

public sealed class ServingSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serving-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_model_is_asked_as_it_was_trained()
    {
        var settings = new TrainingSettings
        {
            Question = "Which product?",
            PromptTemplate = "<|user|>\n{question}<|image_1|><|end|>\n<|assistant|>\n",
            AnswerTemplate = "{title}, {price} dollars",
            NumCrops = 2,
            MaxAnswerTokens = 7,
        };
        ServingSettings.Save(_folder, settings);
        Assert.Equal(ServingSettings.Of(settings), ServingSettings.Load(_folder));
    }

    [Theory]
    [InlineData(AnswerTemplate.Default, null, 64)]
    [InlineData("{title}", null, 64)]
    [InlineData("Product: {title}, Brand: {brand}, Weight: {weight}", null, 96)]
    [InlineData("Product: {title}, Brand: {brand}, Weight: {weight}", 7, 7)]
    public void Answers_have_room_for_further_fields_unless_a_request_says_how_much(string template, int? asked, int tokens)
    {
        FieldDefinition[] fields = [.. FieldDefinition.Defaults, new("brand", FieldKind.Text), new("weight", FieldKind.Number, "g")];
        ServingSettings.Save(
            _folder, new TrainingSettings { AnswerTemplate = template, MaxAnswerTokens = asked }, training: null, fields);
        Assert.Equal(tokens, ServingSettings.Load(_folder).MaxAnswerTokens);
    }

    [Fact]
    public void Categories_and_sets_of_fields_of_the_training_answers_are_kept()
    {
        ServingSettings.Save(_folder, new TrainingSettings(),
            [new("Red Hat", "Hats", null), new("Bag", "Bags", 3), new("Blue Hat", "Hats", 2), new(null, null, null)]);
        var settings = ServingSettings.Load(_folder);
        Assert.Equal(["Bags", "Hats"], Assert.Single(settings.Values!, field => field.Key == "category").Value);
        Assert.Equal([["title", "category", "price"], ["title", "category"]], settings.FieldSets);
    }

    [Theory]
    [InlineData(999, "{category}", true)]
    [InlineData(1000, "{category}", false)]
    [InlineData(3, "{title}", false)]
    public void Categories_are_kept_only_when_they_are_few_and_asked_for(int count, string template, bool kept)
    {
        var answers = Enumerable.Range(0, count).Select(i => new Answer("Hat", $"{i}", null));
        ServingSettings.Save(_folder, new TrainingSettings { AnswerTemplate = template }, answers);
        Assert.Equal(kept, ServingSettings.Load(_folder).Values is not null);
    }

    [Fact]
    public void Definitions_and_values_of_further_fields_are_kept()
    {
        FieldDefinition[] fields =
        [
            new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List),
            new("care", FieldKind.Text),
        ];
        var settings = new TrainingSettings { AnswerTemplate = "{brand}, {weight}, {materials}, Care: {care}" };
        ServingSettings.Save(_folder, settings,
            [Product("Umbra", 70, ["wool", "cotton"], "Wash"), Product("Acme", 9.5, ["cotton"], null)], fields);
        var loaded = ServingSettings.Load(_folder);
        Assert.Equal(fields, loaded.Definitions);
        Assert.Equal(["brand", "materials"], loaded.Values!.Keys);
        Assert.Equal(["Acme", "Umbra"], loaded.Values["brand"]);
        Assert.Equal(["cotton", "wool"], loaded.Values["materials"]);
        Assert.Equal([["brand", "weight", "materials", "care"], ["brand", "weight", "materials"]], loaded.FieldSets);
        var answer = Product("Acme", 9.5, ["cotton", "wool"], "Wash");
        Assert.Equal("Acme, 9.5 g, cotton; wool, Care: Wash", loaded.ToAnswerTemplate().Write(answer));
        Assert.Equal(answer, loaded.ToAnswerTemplate().Read("Acme, 9.5 g, cotton; wool, Care: Wash"));

        static Answer Product(string brand, double weight, string[] materials, string? care) => new(null, null, null)
        {
            Fields = FieldValues.Of(new Dictionary<string, FieldValue?>
            {
                ["brand"] = new(brand), ["weight"] = new(weight), ["materials"] = new(materials),
                ["care"] = care is null ? null : new(care),
            }),
        };
    }

    [Theory]
    [InlineData(5, true)]
    [InlineData(6, false)]
    public void Sets_of_fields_are_kept_only_when_they_are_fewer_than_32(int count, bool kept)
    {
        var fields = Enumerable.Range(0, count).Select(i => new FieldDefinition($"f{i}", FieldKind.Text)).ToList();
        var template = string.Join(", ", fields.Select(field => $"{field.Name} {{{field.Name}}}"));
        // Every set of fields: 2^count - 1 of them are not empty.
        var answers = Enumerable.Range(0, 1 << count).Select(set => Answer.Of(fields.Where((_, i) => (set >> i & 1) == 1)
            .Select(field => KeyValuePair.Create(field.Name, new FieldValue("x")))));
        ServingSettings.Save(_folder, new TrainingSettings { AnswerTemplate = template }, answers, fields);
        Assert.Equal(kept ? 31 : null, ServingSettings.Load(_folder).FieldSets?.Count);
    }

    [Fact]
    public void A_file_of_an_earlier_version_keeps_its_meaning()
    {
        // As version 1.0 wrote it.
        File.WriteAllText(Path.Combine(_folder, ServingSettings.FileName), """
            {
              "question": "What is shown in this image?",
              "answerTemplate": "Product: {title}, Category: {category}, Full Price: {price}",
              "numCrops": 2,
              "maxAnswerTokens": 48,
              "classes": ["Bags", "Hats"],
              "fields": [["title", "category", "price"], ["title", "category"]]
            }
            """);
        var settings = ServingSettings.Load(_folder);
        Assert.Equal((2, 48), (settings.NumCrops, settings.MaxAnswerTokens));
        Assert.Null(settings.Definitions);
        Assert.Equal(["Bags", "Hats"], settings.Values!["category"]);
        Assert.Equal([["title", "category", "price"], ["title", "category"]], settings.FieldSets);
        Assert.Equal(3, settings.ToAnswerTemplate().Parts.Count);
    }

    [Fact]
    public void A_base_model_is_asked_with_the_defaults() =>
        Assert.Equal(ServingSettings.Of(new TrainingSettings()), ServingSettings.Load(_folder));

    [Theory]
    [InlineData("{", "depth")]
    [InlineData("null", "it holds null")]
    [InlineData("""{"promptTemplate": "{question}"}""", "must have <|image_1|> once")]
    [InlineData("""{"answerTemplate": "{colour}"}""", "names the field 'colour'")]
    public void A_file_that_is_not_what_it_should_be_is_named_with_what_is_wrong(string content, string says)
    {
        File.WriteAllText(Path.Combine(_folder, ServingSettings.FileName), content);
        var refusal = Assert.Throws<InvalidDataException>(() => ServingSettings.Load(_folder));
        Assert.Contains(ServingSettings.FileName, refusal.Message);
        Assert.Contains(says, refusal.Message);
    }
}
