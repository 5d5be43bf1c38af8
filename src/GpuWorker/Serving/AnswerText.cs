using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Decodes tokens into pieces of text that add up to the text of all tokens. Holds byte tokens back until their sequence has ended, because
/// a partial UTF-8 sequence cannot be decoded, and white space until more text follows.
/// </summary>
internal sealed class AnswerText(Tokenizer tokenizer, RowBuilder rows)
{
    private readonly List<int> _ids = [];
    private int _shown;

    /// <summary>Returns the text that a token adds; empty while its bytes or white space are held back.</summary>
    public string Add(int id)
    {
        _ids.Add(id);
        return tokenizer.Token(id) is ['<', '0', 'x', _, _, '>'] ? "" : Rest();
    }

    /// <summary>Returns the text that was held back. No tokens may be added afterwards.</summary>
    public string Finish() => Rest();

    private string Rest()
    {
        var text = rows.Decode(_ids);
        var rest = text[_shown..];
        _shown = text.Length;
        return rest;
    }
}
