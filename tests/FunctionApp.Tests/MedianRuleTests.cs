using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Sweeps;

namespace FunctionsPipeline.FunctionApp.Tests;

public class MedianRuleTests
{
    private static readonly PruningSettings Settings = new() { AfterValidations = 1, MinRuns = 3 };

    // Lowest losses at epoch 2: 1, 2, 3.
    private static readonly IReadOnlyList<Validation>[] Others = [Run(5, 1, 9), Run(5, 2, 0.1), Run(5, 3)];

    [Theory]
    [InlineData(2.1, true)]
    [InlineData(2, false)]
    [InlineData(1.9, false)]
    public void A_run_ends_when_its_lowest_loss_is_above_the_median_of_the_others_at_the_same_epoch(double loss, bool pruned)
    {
        var end = MedianRule.Judge(Run(4, loss), Others, Settings);
        Assert.Equal(pruned ? (2, loss) : default((int, double)?), end is null ? null : (end.Step, end.ValidationLoss));
        if (pruned)
            Assert.Equal("pruned at epoch 2: its lowest validation loss 2.1 is above 2, the median of 3 other runs", end!.Reason);
    }

    [Fact]
    public void A_run_that_became_worse_is_judged_by_its_lowest_loss() => Assert.Null(MedianRule.Judge(Run(1.5, 9), Others, Settings));

    [Fact]
    public void The_median_of_an_even_number_lies_between_the_two_in_the_middle()
    {
        IReadOnlyList<Validation>[] others = [.. Others, Run(5, 4)];
        Assert.Null(MedianRule.Judge(Run(9, 2.5), others, Settings));
        Assert.NotNull(MedianRule.Judge(Run(9, 2.6), others, Settings));
    }

    [Fact]
    public void The_first_validations_end_no_run()
    {
        Assert.Null(MedianRule.Judge([], Others, Settings with { AfterValidations = 0 }));
        Assert.Null(MedianRule.Judge(Run(9), Others, Settings));
        Assert.NotNull(MedianRule.Judge(Run(9), Others, Settings with { AfterValidations = 0 }));
        Assert.Null(MedianRule.Judge(Run(9, 9), Others, Settings with { AfterValidations = 2 }));
    }

    [Fact]
    public void Runs_that_have_not_come_as_far_do_not_count()
    {
        Assert.Null(MedianRule.Judge(Run(9, 9, 9, 9), Others, Settings));
        Assert.NotNull(MedianRule.Judge(Run(9, 9, 9), Others, Settings with { MinRuns = 1 }));
        Assert.Null(MedianRule.Judge(Run(9, 9), [.. Others[1..], Run(1)], Settings));
    }

    [Fact]
    public void Runs_of_other_lengths_of_step_are_compared_by_epoch()
    {
        // Validated half as often: at epoch 3 its last loss is that of epoch 2.
        IReadOnlyList<Validation>[] others = [[new Validation(10, 2, 1), new Validation(20, 4, 0.5)]];
        var settings = Settings with { MinRuns = 1 };
        Assert.NotNull(MedianRule.Judge(Run(9, 9, 1.1), others, settings));
        Assert.Null(MedianRule.Judge(Run(9, 9, 0.9), others, settings));
        // Nothing is known of it at epoch 1.
        Assert.Null(MedianRule.Judge(Run(9), others, settings with { AfterValidations = 0 }));
    }

    /// <summary>A run with a validation at each epoch.</summary>
    private static IReadOnlyList<Validation> Run(params double[] losses) =>
        [.. losses.Select((loss, i) => new Validation(i + 1, i + 1, loss))];
}
