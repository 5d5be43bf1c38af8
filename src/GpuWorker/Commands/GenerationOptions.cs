using System.CommandLine;
using System.CommandLine.Parsing;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Command-line options for the generation of answers.</summary>
internal sealed class GenerationOptions
{
    private readonly Option<int?> _maxTokens = Checked<int?>(
        "--max-tokens", "Tokens of an answer at most; what the model was trained for when left out.",
        value => value is null or >= 1, "at least 1");

    private readonly Option<double> _temperature = Checked(
        "--temperature", "0 takes the most likely token; above, tokens are drawn, 1 as likely as the model says.",
        value => value >= 0 && double.IsFinite(value), "0 or above", 0.0);

    private readonly Option<int> _topK = Checked(
        "--top-k", "Draw from this many of the most likely tokens; 0 from all.", value => value >= 0, "0 or above", 0);

    private readonly Option<double> _topP = Checked(
        "--top-p", "Draw from the most likely tokens that together are this probable; 1 from all.",
        value => value is > 0 and <= 1, "above 0 and at most 1", 1.0);

    private readonly Option<int> _seed = new("--seed")
    {
        Description = "The same seed draws the same answer.",
        DefaultValueFactory = _ => 0,
    };

    private readonly Option<double> _penalty = Checked(
        "--repetition-penalty", "Above 1 makes tokens less likely that occurred already.",
        value => value > 0 && double.IsFinite(value), "above 0", 1.0);

    /// <summary>Adds the options to a command, together with the validation of their combination.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_maxTokens, _temperature, _topK, _topP, _seed, _penalty]) command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.Children.OfType<OptionResult>().Any(option => option.Errors.Any())) return;
            if (Given(result, _temperature, 0) == 0 && (Given(result, _topK, 0) > 0 || Given(result, _topP, 1) < 1))
                result.AddError("--top-k and --top-p need a --temperature above 0: without one nothing is drawn.");
        });
    }

    /// <summary>Reads the options that were given; others keep their value in <paramref name="defaults"/>.</summary>
    public GenerationSettings Read(ParseResult parsed, GenerationSettings defaults) => defaults with
    {
        MaxTokens = parsed.GetValue(_maxTokens) ?? defaults.MaxTokens,
        Temperature = parsed.GetValue(_temperature),
        TopK = parsed.GetValue(_topK),
        TopP = parsed.GetValue(_topP),
        Seed = parsed.GetValue(_seed),
        RepetitionPenalty = parsed.GetValue(_penalty),
    };

    // Default values are not assigned yet while validators run, so options that were left out are detected here.
    private static T Given<T>(CommandResult result, Option<T> option, T otherwise) where T : struct =>
        result.GetResult(option) is { Implicit: false } given ? given.GetValueOrDefault<T>() : otherwise;

    private static Option<T> Checked<T>(string name, string description, Func<T?, bool> fits, string must, T? defaultValue = default)
    {
        var option = new Option<T>(name) { Description = description };
        if (defaultValue is not null) option.DefaultValueFactory = _ => defaultValue;
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && !fits(result.GetValueOrDefault<T>())) result.AddError($"{name} must be {must}.");
        });
        return option;
    }
}
