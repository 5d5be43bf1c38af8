namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>Formats text for Markdown.</summary>
internal static class Markdown
{
    /// <summary>Escapes text for a table's cell, where '|' ends the cell and '&lt;' begins HTML.</summary>
    public static string Cell(string text) => text.Replace("|", "\\|").Replace("<", "\\<").Replace("\n", "\\n");
}
