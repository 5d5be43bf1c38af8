namespace FunctionsPipeline.Datasets.Rows;

/// <summary>Cuts long texts.</summary>
internal static class ShortText
{
    /// <summary>Cuts a text that is longer than a number of characters to these and an ellipsis.</summary>
    public static string Of(string text, int longest)
    {
        if (text.Length <= longest) return text;
        // Does not cut a surrogate pair in half.
        return text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)] + "…";
    }
}
