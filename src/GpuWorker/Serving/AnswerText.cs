using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Turns tokens into text piece by piece; the pieces add up to the text of all tokens. Bytes are held back until the run that they belong
/// to has ended, because only then it is known what they mean, and white space until something follows it.
/// </summary>
internal sealed class AnswerText(Tokenizer tokenizer, RowBuilder rows)
{
    private readonly List<int> _ids = [];
    private int _shown;

    /// <summary>What a token adds; empty while nothing is certain.</summary>
    public string Add(int id)
    {
        _ids.Add(id);
        return tokenizer.Token(id) is ['<', '0', 'x', _, _, '>'] ? "" : Rest();
    }

    /// <summary>What was held back. Nothing may be added afterwards.</summary>
    public string Finish() => Rest();

    private string Rest()
    {
        var text = rows.Decode(_ids);
        var rest = text[_shown..];
        _shown = text.Length;
        return rest;
    }
}
