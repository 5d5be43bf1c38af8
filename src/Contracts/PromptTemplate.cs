using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts;

/// <summary>Template of the prompt: the chat format's markers around <c>&lt;|image_1|&gt;</c> and <c>{question}</c>.</summary>
public sealed partial class PromptTemplate
{
    private const string Image = "<|image_1|>";
    private const string Question = "{question}";
    private const string Assistant = "<|assistant|>";

    private readonly string _template;

    /// <exception cref="FormatException">The template is invalid; the message gives the reason.</exception>
    public PromptTemplate(string template)
    {
        foreach (var placeholder in new[] { Image, Question })
        {
            if (template.Split(placeholder).Length - 1 is var count and not 1)
                throw new FormatException($"must have {placeholder} once, but has it {count} times");
        }
        var markers = Marker().Matches(template);
        if (markers.FirstOrDefault(m => m.Value.StartsWith("<|image", StringComparison.Ordinal) && m.Value != Image) is { } other)
            throw new FormatException($"must have no image but {Image}, and has {other.Value}");
        if (markers[^1].Value != Assistant || template.IndexOf(Question, StringComparison.Ordinal) > markers[^1].Index)
            throw new FormatException($"must have {Assistant} after the question and as its last marker: the answer follows there");
        _template = template;
    }

    /// <summary>Inserts a question into the template, and the tags of further images directly after the first.</summary>
    /// <param name="images">Number of images, at least one.</param>
    public string Ask(string question, int images = 1) => _template
        .Replace(Image, string.Concat(Enumerable.Range(1, images).Select(number => $"<|image_{number}|>")), StringComparison.Ordinal)
        .Replace(Question, question, StringComparison.Ordinal);

    [GeneratedRegex(@"<\|[a-z0-9_]+\|>", RegexOptions.CultureInvariant)]
    private static partial Regex Marker();
}
