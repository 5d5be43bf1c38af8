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

    [Fact]
    public void Categories_and_sets_of_fields_of_the_training_answers_are_kept()
    {
        ServingSettings.Save(_folder, new TrainingSettings(),
            [new("Red Hat", "Hats", null), new("Bag", "Bags", 3), new("Blue Hat", "Hats", 2), new(null, null, null)]);
        var settings = ServingSettings.Load(_folder);
        Assert.Equal(["Bags", "Hats"], settings.Classes);
        Assert.Equal([["title", "category", "price"], ["title", "category"]], settings.Fields);
    }

    [Theory]
    [InlineData(999, "{category}", true)]
    [InlineData(1000, "{category}", false)]
    [InlineData(3, "{title}", false)]
    public void Categories_are_kept_only_when_they_are_few_and_asked_for(int count, string template, bool kept)
    {
        var answers = Enumerable.Range(0, count).Select(i => new Answer("Hat", $"{i}", null));
        ServingSettings.Save(_folder, new TrainingSettings { AnswerTemplate = template }, answers);
        Assert.Equal(kept, ServingSettings.Load(_folder).Classes is not null);
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
