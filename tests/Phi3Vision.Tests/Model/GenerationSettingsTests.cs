using FunctionsPipeline.Phi3Vision.Model;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class GenerationSettingsTests
{
    public static TheoryData<GenerationSettings, string> Wrong => new()
    {
        { new() { MaxTokens = 0 }, "MaxTokens is 0" },
        { new() { StopTokens = new HashSet<int> { -1 } }, "StopTokens hold -1" },
        { new() { Temperature = -0.1 }, "Temperature is -0.1" },
        { new() { Temperature = double.NaN }, "Temperature is NaN" },
        { new() { Temperature = double.PositiveInfinity }, "Temperature is" },
        { new() { Temperature = 1, TopK = -1 }, "TopK is -1" },
        { new() { Temperature = 1, TopP = 0 }, "TopP is 0" },
        { new() { Temperature = 1, TopP = 1.01 }, "TopP is 1.01" },
        { new() { RepetitionPenalty = 0 }, "RepetitionPenalty is 0" },
        { new() { TopK = 5 }, "with Temperature 0 nothing is drawn" },
        { new() { TopP = 0.5 }, "with Temperature 0 nothing is drawn" },
    };

    [Theory, MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void What_makes_no_sense_is_named(GenerationSettings settings, string expected) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(settings.Validate).Message);

    [Fact]
    public void Every_problem_is_named_at_once()
    {
        var message = Assert.Throws<ArgumentException>(new GenerationSettings { MaxTokens = -3, RepetitionPenalty = -1 }.Validate).Message;
        Assert.Contains("MaxTokens is -3", message);
        Assert.Contains("RepetitionPenalty is -1", message);
    }

    [Fact]
    public void The_defaults_and_ordinary_settings_are_fine()
    {
        new GenerationSettings().Validate();
        new GenerationSettings { Temperature = 0.7, TopK = 50, TopP = 0.9, RepetitionPenalty = 1.2, Seed = -1 }.Validate();
    }
}
