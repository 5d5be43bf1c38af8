using FunctionsPipeline.FunctionApp.Models;

namespace FunctionsPipeline.Tests.FunctionApp;

public class PublishRuleTests
{
    [Fact]
    public void The_first_model_serves() => Assert.True(PublishRule.Decide(null, Samples.Model("a", 9)).Published);

    [Theory]
    [InlineData(0.4, true)]
    [InlineData(0.5, true)]
    [InlineData(0.6, false)]
    public void On_the_same_data_a_model_serves_when_its_loss_is_no_worse(double loss, bool serves)
    {
        var decision = PublishRule.Decide(Samples.Model("a", 0.5), Samples.Model("b", loss));
        Assert.Equal(serves, decision.Published);
        Assert.Contains("0.5", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Losses_on_different_data_are_not_compared() =>
        Assert.True(PublishRule.Decide(Samples.Model("a", 0.1, "x/1/v"), Samples.Model("b", 3, "y/1/v")).Published);

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_model_without_a_finite_loss_never_serves(double loss) => Assert.False(PublishRule.Decide(null, Samples.Model("a", loss)).Published);

    [Fact]
    public void A_run_that_serves_already_keeps_serving() => Assert.True(PublishRule.Decide(Samples.Model("a", 0.5), Samples.Model("a", 0.5)).Published);
}
