namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Wraps text between words.</summary>
internal static class TextWrap
{
    /// <summary>Splits text into lines of at most <paramref name="width"/> characters; a longer word gets a line of its own.</summary>
    public static IEnumerable<string> Lines(string text, int width)
    {
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        if (line.Length > 0) yield return line;
    }
}
