using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class TrainingDataTests
{
    private static readonly RowBuilder Rows = new(SmallModel.Tokenizer, new ServingSettings());
    private static readonly ImageProcessor Processor = new(numCrops: 4);

    [Fact]
    public void Samples_are_planned_by_what_they_are_used_for_with_their_tokens()
    {
        var data = Plan(5000, Index(Splits.Train, (60, 60), (300, 100)), Index(Splits.Test, (60, 60)), Index(Splits.Validation, (60, 60)));
        Assert.Equal((2, 1, 1, 0), (data.Training.Count, data.Validation.Count, data.Test.Count, data.Dropped));
        Assert.Equal(
            [Rows.Row(757, data.Training[0].Answer).Ids.Length, Rows.Row(Processor.Tokens(300, 100), data.Training[1].Answer).Ids.Length],
            data.Training.Select(sample => sample.Tokens));
    }

    [Fact]
    public void Samples_that_are_too_long_are_left_out_as_a_whole_and_counted()
    {
        var all = Plan(5000, Index(Splits.Train, (60, 60), (600, 100)), Index(Splits.Validation, (600, 100), (60, 60)));
        Assert.True(all.Training[1].Tokens < all.Training[0].Tokens);
        var fitting = Plan(all.Training[1].Tokens, Index(Splits.Train, (60, 60), (600, 100)), Index(Splits.Validation, (600, 100), (60, 60)));
        Assert.Equal([all.Training[1]], fitting.Training);
        Assert.Equal([all.Validation[0]], fitting.Validation);
        Assert.Equal(2, fitting.Dropped);
    }

    [Fact]
    public void Nothing_left_says_what_to_do()
    {
        var failure = Assert.Throws<TrainingException>(() => Plan(300, Index(Splits.Train, (60, 60)), Index(Splits.Validation, (60, 60))));
        Assert.StartsWith("Every training sample is longer than 300 tokens; the shortest takes ", failure.Message);
        Assert.Contains("Lower training.numCrops, or raise training.maxTokens", failure.Message);
        var none = Assert.Throws<TrainingException>(() => Plan(5000, Index(Splits.Train, (60, 60))));
        Assert.Equal("The dataset has no usable validation samples; raise dataset.validationFraction.", none.Message);
    }

    [Fact]
    public void An_image_that_the_processor_cannot_take_is_a_clear_error()
    {
        var failure = Assert.Throws<TrainingException>(() => Plan(5000, Index(Splits.Train, (20_000, 1))));
        Assert.Contains("20000×1 pixels is too thin", failure.Message);
    }

    private static TrainingData Plan(int maxTokens, params ShardIndex[] indexes) => TrainingData.Plan(indexes, Rows, Processor, maxTokens);

    private static ShardIndex Index(string split, params (int Width, int Height)[] sizes) => new(
        new ShardInfo($"{split}.tar", split, sizes.Length, 1),
        [.. sizes.Select((size, i) => new ShardSample(new SampleLabels($"{split}-{i}", "00", null, "Hats", null), size.Width, size.Height, i, 1))]);
}
