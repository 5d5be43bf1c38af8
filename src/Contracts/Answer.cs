namespace FunctionsPipeline.Contracts;

/// <summary>What is said about a product; a part is null where nothing is known.</summary>
public sealed record Answer(string? Title, string? Category, double? Price)
{
    private static readonly AnswerTemplate Standard = new(AnswerTemplate.Default);

    /// <summary>The answer in the words of the default template; empty when there is nothing to say.</summary>
    public override string ToString() => Standard.Write(this);
}
