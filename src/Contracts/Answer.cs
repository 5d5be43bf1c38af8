namespace FunctionsPipeline.Contracts;

/// <summary>Title, category and price of a product; a field that is unknown is null.</summary>
public sealed record Answer(string? Title, string? Category, double? Price)
{
    private static readonly AnswerTemplate Standard = new(AnswerTemplate.Default);

    /// <summary>Formats the answer by the default template; empty when all fields are null.</summary>
    public override string ToString() => Standard.Write(this);
}
