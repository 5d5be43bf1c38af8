using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Answers;

/// <summary>
/// Deterministic automaton, over characters, of the texts that an answer template reads: parts in order with some of them missing, prices
/// as numbers, categories from a list where there is one, other values as text in one line. A value of text ends where the next value can
/// begin, as it does when the answer is read. Every state leads to a complete answer.
/// </summary>
internal sealed class AnswerLanguage
{
    /// <summary>State before the first character.</summary>
    public const int Start = 0;

    private const int None = -1;

    private readonly List<State> _states = [];
    private readonly (Rune Rune, int State)[] _shortest;

    /// <param name="categories">The categories that an answer may name; null for any text.</param>
    /// <param name="fields">The sets of fields that an answer may have; null for any.</param>
    public AnswerLanguage(
        AnswerTemplate template, IReadOnlyList<string>? categories = null, IReadOnlyList<IReadOnlyList<string>>? fields = null)
    {
        var nodes = new NodeBuilder(template, categories, fields).Build();
        AddStates([.. nodes]);
        _shortest = Shortest();
    }

    /// <summary>Number of states.</summary>
    public int Count => _states.Count;

    /// <summary>True when the text that led to a state is a complete answer.</summary>
    public bool IsComplete(int state) => _states[state].Complete;

    /// <summary>Returns the state after one more character; -1 when no answer continues so.</summary>
    public int Next(int state, Rune rune)
    {
        var from = _states[state];
        if (from.Edges.TryGetValue(rune, out var next)) return next;
        return !IsText(rune) ? None : Rune.IsWhiteSpace(rune) ? from.OtherSpace : from.Other;
    }

    /// <summary>
    /// Returns the states after one more character whose UTF-8 begins with the given bytes, which are not all of it; none when no answer
    /// continues so.
    /// </summary>
    public IEnumerable<int> NextWith(int state, byte[] utf8)
    {
        var from = _states[state];
        // Every beginning of a UTF-8 sequence is also that of a visible character.
        if (from.Other != None) yield return from.Other;
        foreach (var (rune, next) in from.Edges)
        {
            if (rune.Utf8SequenceLength > utf8.Length && Encoding.UTF8.GetBytes(rune.ToString()).AsSpan().StartsWith(utf8))
                yield return next;
        }
    }

    /// <summary>Returns a shortest text that completes the answer. After each of its characters, the rest is that of the state.</summary>
    public string Rest(int state)
    {
        var text = new StringBuilder();
        for (; !_states[state].Complete; state = _shortest[state].State) text.Append(_shortest[state].Rune.ToString());
        return text.ToString();
    }

    private static bool IsText(Rune rune) => Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    /// <summary>Makes a state of every set of nodes that some text leads to (the subset construction).</summary>
    private void AddStates(Node[] start)
    {
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        var sets = new List<Node[]>();
        StateOf(start);
        for (var i = 0; i < sets.Count; i++)
        {
            var set = sets[i];
            var runes = set.SelectMany(node => node.Kind switch
            {
                NodeKind.Exact => [node.Rune],
                NodeKind.Digit => Enumerable.Range('0', 10).Select(digit => new Rune(digit)),
                _ => [],
            }).ToHashSet();
            var edges = runes.ToDictionary(rune => rune, rune => StateAfter(set.Where(node => node.Accepts(rune))));
            _states.Add(new State(
                edges,
                Other: StateAfter(set.Where(node => node.Kind is NodeKind.Visible or NodeKind.Text)),
                OtherSpace: StateAfter(set.Where(node => node.Kind is NodeKind.Text)),
                Complete: set.Any(node => node.Kind is NodeKind.End)));
        }

        int StateAfter(IEnumerable<Node> nodes)
        {
            Node[] targets = [.. nodes.SelectMany(node => node.Targets).Distinct()];
            // The first place where the next value can begin ends a value of text.
            if (targets.Any(node => node.BeginsValue)) targets = [.. targets.Where(node => node.Kind != NodeKind.Text)];
            return targets.Length == 0 ? None : StateOf(targets);
        }

        int StateOf(Node[] set)
        {
            var key = string.Join(',', set.Select(node => node.Number).Order());
            if (!known.TryAdd(key, sets.Count)) return known[key];
            sets.Add(set);
            return sets.Count - 1;
        }
    }

    /// <summary>Finds the first step of a shortest way from every state to a complete one, breadth first from the complete ones.</summary>
    private (Rune Rune, int State)[] Shortest()
    {
        var before = Enumerable.Range(0, Count).SelectMany(from =>
        {
            var steps = _states[from].Edges.Select(edge => (From: from, Rune: edge.Key, To: edge.Value));
            if (_states[from].Other == None) return steps;
            var letter = Enumerable.Range('a', 1000).Select(letter => new Rune(letter))
                .First(letter => !_states[from].Edges.ContainsKey(letter));
            return steps.Append((From: from, Rune: letter, To: _states[from].Other));
        }).ToLookup(step => step.To);
        var shortest = new (Rune, int State)[Count];
        var reached = new HashSet<int>(Enumerable.Range(0, Count).Where(IsComplete));
        var queue = new Queue<int>(reached);
        while (queue.TryDequeue(out var to))
        {
            foreach (var (from, rune, _) in before[to])
            {
                if (!reached.Add(from)) continue;
                shortest[from] = (rune, to);
                queue.Enqueue(from);
            }
        }
        return shortest;
    }

    /// <param name="Edges">Next state by character.</param>
    /// <param name="Other">Next state of a visible character without an edge.</param>
    /// <param name="OtherSpace">Next state of white space without an edge.</param>
    private sealed record State(IReadOnlyDictionary<Rune, int> Edges, int Other, int OtherSpace, bool Complete);

    private enum NodeKind
    {
        Exact,
        Digit,

        /// <summary>Any character but white space and control characters.</summary>
        Visible,

        /// <summary>Any character but control characters.</summary>
        Text,

        /// <summary>Accepts no character: the answer is complete.</summary>
        End,
    }

    /// <summary>Node of the nondeterministic automaton: one character, and the nodes that may follow.</summary>
    private sealed class Node(int number, NodeKind kind, Rune rune, bool beginsValue)
    {
        public int Number => number;

        public NodeKind Kind => kind;

        public Rune Rune => rune;

        public bool BeginsValue => beginsValue;

        public IReadOnlyList<Node> Targets { get; set; } = [];

        public bool Accepts(Rune character) => kind switch
        {
            NodeKind.Exact => character == rune,
            NodeKind.Digit => character.Value is >= '0' and <= '9',
            NodeKind.Visible => IsText(character) && !Rune.IsWhiteSpace(character),
            NodeKind.Text => IsText(character),
            _ => false,
        };
    }

    /// <summary>Builds the nodes from the end of the template to its beginning.</summary>
    private sealed class NodeBuilder
    {
        private const int Digits = 12;

        private readonly AnswerTemplate _template;
        private readonly List<int> _sets;
        private readonly IReadOnlyList<string>? _categories;
        private readonly Dictionary<int, IReadOnlyList<Node>> _after = [];
        private readonly Node _end;
        private int _nodes;

        public NodeBuilder(AnswerTemplate template, IReadOnlyList<string>? categories, IReadOnlyList<IReadOnlyList<string>>? fields)
        {
            _template = template;
            _end = New(NodeKind.End);
            // Sets of parts as bits. Those that the template would read as other fields are left out, and so are such categories.
            var any = Enumerable.Range(1, (1 << template.Parts.Count) - 1).ToList();
            var asked = fields?.Select(set => Bits(part => set.Contains(part.Field.Name))).Where(set => set > 0).Distinct() ?? any;
            _sets = [.. asked.Where(set => ReadsBack(set, "x"))];
            if (_sets.Count == 0) _sets = any;
            var category = Bits(part => part.Field.Name == FieldDefinition.Category);
            _categories = categories?.Where(name => _sets.Where(set => (set & category) != 0).All(set => ReadsBack(set, name))).ToList();
            if (_categories is { Count: 0 }) _categories = null;
        }

        public IReadOnlyList<Node> Build()
        {
            var first = After(0);
            // The tokenizer puts a space before every text, which is not part of it.
            return [New(NodeKind.Exact, first, new Rune(' ')), .. first];
        }

        private int Bits(Func<AnswerPart, bool> chosen) =>
            Enumerable.Range(0, _template.Parts.Count).Sum(i => chosen(_template.Parts[i]) ? 1 << i : 0);

        private bool ReadsBack(int set, string category)
        {
            bool Has(string field) => (set & Bits(part => part.Field.Name == field)) != 0;
            var answer = new Answer(Has("title") ? "x" : null, Has("category") ? category : null, Has("price") ? 1 : null);
            return _template.Read(_template.Write(answer)) == answer;
        }

        /// <summary>Returns the nodes that may follow once the parts of a set are written.</summary>
        private IReadOnlyList<Node> After(int written)
        {
            if (_after.TryGetValue(written, out var known)) return known;
            var nodes = new List<Node>();
            if (_sets.Contains(written)) nodes.Add(_end);
            for (var i = 0; i < _template.Parts.Count; i++)
            {
                var next = written | 1 << i;
                if (1 << i <= written || !_sets.Any(set => (set & ((2 << i) - 1)) == next)) continue;
                var part = _template.Parts[i];
                nodes.AddRange(Literal((written == 0 ? "" : AnswerTemplate.Separator) + part.Before, Value(part, next)));
            }
            return _after[written] = nodes;
        }

        private IReadOnlyList<Node> Value(AnswerPart part, int written)
        {
            var after = Literal(part.After, After(written));
            if (part.Field.Kind == FieldKind.Number) return Price(after);
            if (part.Field.Name == FieldDefinition.Category && _categories is not null)
                return [.. _categories.SelectMany(name => Literal(name, after, beginsValue: true))];
            var text = New(NodeKind.Text);
            text.Targets = [text, .. after];
            return [New(NodeKind.Visible, text.Targets, beginsValue: true)];
        }

        // [0-9]{1,12}(\.[0-9]+)?, as the template reads a price.
        private IReadOnlyList<Node> Price(IReadOnlyList<Node> after)
        {
            var decimals = New(NodeKind.Digit);
            decimals.Targets = [decimals, .. after];
            var end = new[] { New(NodeKind.Exact, [decimals], new Rune('.')) }.Concat(after).ToList();
            IReadOnlyList<Node> digits = [];
            for (var i = Digits; i > 0; i--) digits = [New(NodeKind.Digit, [.. digits, .. end], beginsValue: i == 1)];
            return digits;
        }

        private IReadOnlyList<Node> Literal(string text, IReadOnlyList<Node> targets, bool beginsValue = false)
        {
            var runes = text.EnumerateRunes().ToList();
            for (var i = runes.Count - 1; i >= 0; i--) targets = [New(NodeKind.Exact, targets, runes[i], beginsValue && i == 0)];
            return targets;
        }

        private Node New(NodeKind kind, IReadOnlyList<Node>? targets = null, Rune rune = default, bool beginsValue = false) =>
            new(_nodes++, kind, rune, beginsValue) { Targets = targets ?? [] };
    }
}
