namespace FunctionsPipeline.Phi3Vision.Text;

/// <summary>Tokens of the published tokenizer that stand for no text.</summary>
public static class SpecialTokens
{
    public const string Unknown = "<unk>";
    public const string BeginOfText = "<s>";
    public const string EndOfSequence = "</s>";
    public const string EndOfText = "<|endoftext|>";
    public const string Assistant = "<|assistant|>";
    public const string System = "<|system|>";
    public const string End = "<|end|>";
    public const string User = "<|user|>";
    public const string Image = "<|image|>";

    /// <summary>Id of the first byte token, <c>&lt;0x00&gt;</c>; unknown, begin and end have the ids before it.</summary>
    internal const int FirstByte = 3;

    /// <summary>Added tokens after the vocabulary proper, in the published order.</summary>
    // Ids 32000 to 32044 of the published tokenizer: <|end|> is 32007, <|user|> 32010.
    public static IReadOnlyList<string> Added { get; } =
    [
        EndOfText, Assistant, .. Placeholders(1, 4), System, End, .. Placeholders(5, 6), User, .. Placeholders(7, 39), Image,
    ];

    /// <summary>Number of ids of a tokenizer without any piece of text: unknown, begin, end, the 256 bytes and the added tokens.</summary>
    public static int SmallestVocabulary { get; } = FirstByte + 256 + Added.Count;

    /// <summary>True when the token swallows the white space that follows, as in the published tokenizer.</summary>
    internal static bool SwallowsFollowingSpace(string token) =>
        token is not (Unknown or BeginOfText or EndOfText or System or End or User);

    private static IEnumerable<string> Placeholders(int first, int last) =>
        Enumerable.Range(first, last - first + 1).Select(i => $"<|placeholder{i}|>");
}
