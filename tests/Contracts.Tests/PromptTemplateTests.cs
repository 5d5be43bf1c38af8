namespace FunctionsPipeline.Contracts.Tests;

public sealed class PromptTemplateTests
{
    [Fact]
    public void The_default_is_the_published_recipes() => Assert.Equal(
        "<|user|>\n<|image_1|>What is it?<|end|><|assistant|>\n",
        new PromptTemplate(new TrainingSettings().PromptTemplate).Ask("What is it?"));

    [Fact]
    public void A_system_message_and_the_beginning_of_the_answer_have_their_place() => Assert.Equal(
        "<|system|>\nBe brief.<|end|>\n<|user|>\nWhat? <|image_1|><|end|>\n<|assistant|>\nIt is ",
        new PromptTemplate("<|system|>\nBe brief.<|end|>\n<|user|>\n{question} <|image_1|><|end|>\n<|assistant|>\nIt is ").Ask("What?"));

    [Theory]
    [InlineData("<|user|>{question}<|end|><|assistant|>", "must have <|image_1|> once, but has it 0 times")]
    [InlineData("<|user|><|image_1|><|image_1|>{question}<|end|><|assistant|>", "must have <|image_1|> once, but has it 2 times")]
    [InlineData("<|user|><|image_1|><|end|><|assistant|>", "must have {question} once, but has it 0 times")]
    [InlineData("<|user|><|image_1|>{question}{question}<|end|><|assistant|>", "must have {question} once, but has it 2 times")]
    [InlineData("<|user|><|image_1|><|image_2|>{question}<|end|><|assistant|>", "must have no image but <|image_1|>, and has <|image_2|>")]
    [InlineData("<|user|><|image_1|>{question}", "must have <|assistant|> after the question")]
    [InlineData("<|image_1|>{question}<|assistant|><|end|>", "must have <|assistant|> after the question")]
    [InlineData("<|user|><|image_1|><|end|><|assistant|>{question}", "must have <|assistant|> after the question")]
    public void A_template_that_cannot_be_asked_with_says_why(string template, string says) =>
        Assert.StartsWith(says, Assert.Throws<FormatException>(() => new PromptTemplate(template)).Message, StringComparison.Ordinal);
}
