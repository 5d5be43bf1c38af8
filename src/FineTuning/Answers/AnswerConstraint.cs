using System.Buffers;
using System.Numerics;
using System.Text;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;

namespace FunctionsPipeline.FineTuning.Answers;

/// <summary>
/// Lets a model generate only answers that its template reads, with categories, items of lists and sets of fields that its training had.
/// Near the limit of tokens, only what leaves room to complete the answer is allowed. One thread at a time.
/// </summary>
public sealed class AnswerConstraint : ITokenConstraint
{
    private readonly AnswerLanguage _language;
    private readonly IReadOnlySet<int> _stopTokens;
    private readonly Tokenizer _tokenizer;
    // Sorted by their bytes, so that tokens with a common beginning are neighbours, the shortest first.
    private readonly (byte[] Bytes, int Id)[] _tokens;
    private readonly Dictionary<Place, Continuations> _continuations = [];
    private readonly int[] _needed;

    /// <param name="stopTokens">Tokens that end an answer.</param>
    public AnswerConstraint(Tokenizer tokenizer, ServingSettings settings, IReadOnlySet<int> stopTokens)
    {
        _tokenizer = tokenizer;
        _stopTokens = stopTokens;
        _language = new AnswerLanguage(settings.ToAnswerTemplate(), settings.Values, settings.FieldSets);
        _tokens =
        [
            .. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => (Bytes: tokenizer.Bytes(id), id))
                .Where(token => token.Bytes.Length > 0),
        ];
        Array.Sort(_tokens, (a, b) => a.Bytes.AsSpan().SequenceCompareTo(b.Bytes));
        _needed = new int[_language.Count];
        Array.Fill(_needed, -1);
    }

    /// <inheritdoc/>
    public IConstrainedAnswer Begin(int maxTokens) => new Row(this, maxTokens);

    /// <summary>Returns the place after one more byte; null when no answer continues so.</summary>
    private Place? Next(Place place, byte next)
    {
        Span<byte> bytes = stackalloc byte[4];
        var count = place.CopyPending(bytes);
        bytes[count++] = next;
        switch (Rune.DecodeFromUtf8(bytes[..count], out var rune, out _))
        {
            case OperationStatus.Done:
                var state = _language.Next(place.State, rune);
                return state < 0 ? null : new Place(state);
            case OperationStatus.NeedMoreData when _language.NextWith(place.State, bytes[..count].ToArray()).Any():
                return place with { Pending = place.Pending << 8 | next };
            default:
                return null;
        }
    }

    /// <summary>Computes a number of tokens that suffices to complete the answer; some next token always lowers it.</summary>
    private int Needed(Place place)
    {
        if (place.Pending == 0)
        {
            ref var needed = ref _needed[place.State];
            return needed >= 0 ? needed : needed = Count(Encoding.UTF8.GetBytes(_language.Rest(place.State)));
        }
        var bytes = new byte[4];
        var count = place.CopyPending(bytes);
        // The first byte of a sequence of n bytes begins with n ones. Only byte tokens, one for each byte, can complete a character.
        var missing = BitOperations.LeadingZeroCount(~((uint)bytes[0] << 24)) - count;
        return missing + _language.NextWith(place.State, bytes[..count]).Min(state => Needed(new Place(state)));
    }

    /// <summary>Counts the fewest tokens that spell a text: for every end of it, the best of all tokens that it begins with.</summary>
    private int Count(byte[] text)
    {
        var counts = new int[text.Length + 1];
        for (var at = text.Length - 1; at >= 0; at--)
        {
            counts[at] = int.MaxValue;
            var (low, high) = (0, _tokens.Length);
            for (var end = at; end < text.Length && low < high; end++)
            {
                (low, high) = Narrow(low, high, end - at, text[end]);
                if (low < high && _tokens[low].Bytes.Length == end - at + 1) counts[at] = Math.Min(counts[at], 1 + counts[end + 1]);
            }
        }
        return counts[0];
    }

    /// <summary>Narrows a range of tokens, which share their first bytes, to those with the given byte next.</summary>
    private (int Low, int High) Narrow(int low, int high, int at, byte value) =>
        (First(low, high, at, value), First(low, high, at, value + 1));

    /// <summary>Finds the first token of a range whose next byte is at least the given one, by binary search.</summary>
    private int First(int low, int high, int at, int value)
    {
        while (low < high)
        {
            var middle = (low + high) / 2;
            var bytes = _tokens[middle].Bytes;
            if (bytes.Length <= at || bytes[at] < value) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private Continuations ContinuationsOf(Place place)
    {
        if (_continuations.TryGetValue(place, out var known)) return known;
        var found = new List<(int Id, int Needed)>();
        Collect(0, _tokens.Length, 0, place, found);
        return _continuations[place] = new Continuations(
            [.. found.Select(token => token.Id)], [.. found.Select(token => (ushort)Math.Min(token.Needed, ushort.MaxValue))]);
    }

    /// <summary>Collects the tokens of a range that may continue an answer; their first bytes are the same and lead to a place.</summary>
    private void Collect(int low, int high, int length, Place place, List<(int Id, int Needed)> found)
    {
        for (; low < high && _tokens[low].Bytes.Length == length; low++) found.Add((_tokens[low].Id, Needed(place)));
        while (low < high)
        {
            var next = _tokens[low].Bytes[length];
            var (_, end) = Narrow(low, high, length, next);
            if (Next(place, next) is { } reached) Collect(low, end, length + 1, reached, found);
            low = end;
        }
    }

    /// <summary>Position in an answer.</summary>
    /// <param name="State">State of the language.</param>
    /// <param name="Pending">The first bytes of a character, which byte tokens spell one by one.</param>
    private readonly record struct Place(int State, uint Pending = 0)
    {
        /// <summary>Copies the pending bytes and returns their number.</summary>
        public int CopyPending(Span<byte> bytes)
        {
            // The bytes of an unfinished character all have their highest bit set.
            var count = Pending == 0 ? 0 : BitOperations.Log2(Pending) / 8 + 1;
            for (var i = 0; i < count; i++) bytes[i] = (byte)(Pending >> 8 * (count - 1 - i));
            return count;
        }
    }

    /// <summary>Tokens that may come next.</summary>
    /// <param name="Needed">Number of tokens that suffices to complete the answer after each of them.</param>
    private sealed record Continuations(int[] Ids, ushort[] Needed)
    {
        public int Least { get; } = Needed.DefaultIfEmpty(ushort.MaxValue).Min();
    }

    private sealed class Row(AnswerConstraint constraint, int left) : IConstrainedAnswer
    {
        private Place _place = new(AnswerLanguage.Start);
        private int _left = left;
        private bool _ended;

        public void Allow(Span<bool> forbidden)
        {
            if (_ended)
            {
                forbidden.Clear();
                return;
            }
            var continuations = constraint.ContinuationsOf(_place);
            var complete = _place.Pending == 0 && constraint._language.IsComplete(_place.State);
            // Where even the shortest answer is too long, the way to it is allowed.
            var most = complete ? _left - 1 : Math.Max(_left - 1, continuations.Least);
            for (var i = 0; i < continuations.Ids.Length; i++)
                if (continuations.Needed[i] <= most) forbidden[continuations.Ids[i]] = false;
            if (!complete) return;
            foreach (var id in constraint._stopTokens) forbidden[id] = false;
        }

        public void Add(int id)
        {
            _left--;
            _ended |= constraint._stopTokens.Contains(id);
            if (_ended) return;
            foreach (var next in constraint._tokenizer.Bytes(id)) _place = constraint.Next(_place, next)!.Value;
        }
    }
}
