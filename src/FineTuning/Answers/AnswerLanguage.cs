using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Answers;

/// <summary>
/// Deterministic automaton, over characters, of the texts that an answer template reads: parts in order with some of them missing, numbers
/// as digits, categories and the items of lists from the known ones, other values as text in one line. A value of text ends with the label
/// of the next value, and holds that of no later part, so that the template reads what was written. Every state leads to a complete answer.
/// </summary>
internal sealed class AnswerLanguage
{
    /// <summary>State before the first character.</summary>
    public const int Start = 0;

    private const int None = -1;

    private readonly List<State> _states = [];
    // Of every state, the first step of a shortest way to a complete one.
    private readonly (Rune Rune, int State)[] _shortest;

    /// <param name="values">
    /// The categories that an answer may name, and the items that a list may have, by field; a field that is left out has any text.
    /// </param>
    /// <param name="fieldSets">The sets of fields that an answer may have; null for any.</param>
    public AnswerLanguage(
        AnswerTemplate template, IReadOnlyDictionary<string, IReadOnlyList<string>>? values = null,
        IReadOnlyList<IReadOnlyList<string>>? fieldSets = null)
    {
        var nodes = new NodeBuilder(template, values, fieldSets).Build();
        AddStates(nodes);
        _shortest = KeepStatesThatComplete();
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
            if (next == None || rune.Utf8SequenceLength <= utf8.Length) continue;
            if (Encoding.UTF8.GetBytes(rune.ToString()).AsSpan().StartsWith(utf8)) yield return next;
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

    /// <summary>
    /// Makes a state of every sequence of nodes that some text leads to (the subset construction). The template prefers the ways of a text
    /// through the nodes in this order, as a regular expression prefers its alternatives.
    /// </summary>
    private void AddStates(IEnumerable<Node> start)
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
            var edges = runes.ToDictionary(
                rune => rune, rune => StateAfter(set.Where(node => node.Accepts(rune)), Rune.IsWhiteSpace(rune)));
            _states.Add(new State(
                edges,
                Other: StateAfter(set.Where(node => node.Kind is NodeKind.Visible or NodeKind.Text), space: false),
                OtherSpace: StateAfter(set.Where(node => node.Kind is NodeKind.Text), space: true),
                Complete: set.FirstOrDefault(node => node.Kind is NodeKind.End or NodeKind.OtherEnd)?.Kind == NodeKind.End));
        }

        // An answer is read without the white space around it, as which it may be another: none ends in white space.
        int StateAfter(IEnumerable<Node> nodes, bool space) => StateOf(nodes.SelectMany(node => node.Targets)
            .Where(node => !space || node.Kind is not (NodeKind.End or NodeKind.OtherEnd)));

        int StateOf(IEnumerable<Node> nodes)
        {
            Node[] set = [.. nodes.TakeWhile(node => node.Kind != NodeKind.Cut).Distinct()];
            if (set.Length == 0) return None;
            var key = string.Join(',', set.Select(node => node.Number));
            if (!known.TryAdd(key, sets.Count)) return known[key];
            sets.Add(set);
            return sets.Count - 1;
        }
    }

    /// <summary>Removes the states that lead to no complete one, which are found breadth first from the complete ones.</summary>
    /// <returns>The first step of a shortest way from every state to a complete one.</returns>
    private (Rune Rune, int State)[] KeepStatesThatComplete()
    {
        var before = Enumerable.Range(0, Count).SelectMany(from =>
        {
            var steps = _states[from].Edges.Select(edge => (From: from, Rune: edge.Key, To: edge.Value));
            if (_states[from].Other == None) return steps;
            var letter = Enumerable.Range('a', 1000).Select(letter => new Rune(letter))
                .First(letter => !_states[from].Edges.ContainsKey(letter));
            return steps.Append((From: from, Rune: letter, To: _states[from].Other));
        }).ToLookup(step => step.To);
        var shortest = new (Rune Rune, int State)[Count];
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
        if (!reached.Contains(Start)) throw new InvalidOperationException("There is no answer that the answer template reads.");
        int[] kept = [.. reached.Order()];
        var numbers = kept.Select((state, i) => (state, i)).ToDictionary(pair => pair.state, pair => pair.i);
        State[] states = [.. kept.Select(state => _states[state]).Select(state => new State(
            state.Edges.ToDictionary(edge => edge.Key, edge => Number(edge.Value)), Number(state.Other), Number(state.OtherSpace),
            state.Complete))];
        _states.Clear();
        _states.AddRange(states);
        return [.. kept.Select(state => (shortest[state].Rune, Number(shortest[state].State)))];

        int Number(int state) => numbers.GetValueOrDefault(state, None);
    }

    /// <param name="Edges">Next state by character; -1 for a character with which no answer continues.</param>
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

        /// <summary>Accepts no character: the template would read the text as an answer that is not allowed.</summary>
        OtherEnd,

        /// <summary>Accepts no character: the template always prefers the nodes before this one to those after it.</summary>
        Cut,
    }

    /// <summary>Node of the nondeterministic automaton: one character, and the nodes that may follow.</summary>
    private sealed class Node(int number, NodeKind kind, Rune rune)
    {
        public int Number => number;

        public NodeKind Kind => kind;

        public Rune Rune => rune;

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
        // Sets of parts by their indices, in an order that depends on the indices alone; null for any set.
        private readonly IReadOnlyList<int[]>? _sets;
        private readonly Dictionary<string, IReadOnlyList<Rune[]>> _values = [];
        private readonly Dictionary<string, IReadOnlyList<Node>> _after = [];
        private readonly Dictionary<(int Part, IReadOnlyList<Node> After), IReadOnlyList<Node>> _valueNodes = [];
        private readonly Node _end;
        private readonly Node _otherEnd;
        private readonly Node _cut;
        private int _nodes;

        public NodeBuilder(
            AnswerTemplate template, IReadOnlyDictionary<string, IReadOnlyList<string>>? values,
            IReadOnlyList<IReadOnlyList<string>>? fieldSets)
        {
            _template = template;
            (_end, _otherEnd, _cut) = (New(NodeKind.End), New(NodeKind.OtherEnd), New(NodeKind.Cut));
            // Sets and values that the template would read as others are left out.
            var sets = fieldSets?.Select(set => Indices(part => set.Contains(part.Field.Name)))
                .Where(set => set.Length > 0 && ReadsBack(set) && !HidesLabel(set))
                .DistinctBy(Key).OrderBy(Key, StringComparer.Ordinal).ToList();
            _sets = sets is { Count: > 0 } ? sets : null;
            foreach (var (part, field) in template.Parts.Select((part, i) => (i, part.Field)))
            {
                if (field.Kind is not (FieldKind.Category or FieldKind.List)) continue;
                if (values?.GetValueOrDefault(field.Name) is not { } known) continue;
                // Of the sets, one for each part that may follow the value: there are many values to try.
                var around = _sets?.Where(set => set.Contains(part)).DistinctBy(set => set.FirstOrDefault(i => i > part, -1)).ToList()
                    ?? new int[][] { Indices(_ => true), [.. Enumerable.Range(0, part + 1)], [part] }.Where(set => ReadsBack(set)).ToList();
                var labels = template.Parts.Skip(part + 1)
                    .Select(next => template.Parts[part].After + AnswerTemplate.Separator + next.Before).ToList();
                var readable = known.Where(value => !labels.Any(label => value.Contains(label, StringComparison.Ordinal))
                    && around.All(set => ReadsBack(set, field.Name, value))).ToList();
                if (readable.Count > 0) _values[field.Name] = [.. readable.Select(value => value.EnumerateRunes().ToArray())];
            }
        }

        public IReadOnlyList<Node> Build()
        {
            var first = After(0, _sets);
            // The tokenizer puts a space before every text, which is not part of it.
            return [New(NodeKind.Exact, first, new Rune(' ')), .. first];
        }

        private static string Key(IEnumerable<int> set) => string.Join(',', set);

        private int[] Indices(Func<AnswerPart, bool> chosen) =>
            [.. Enumerable.Range(0, _template.Parts.Count).Where(i => chosen(_template.Parts[i]))];

        /// <summary>Returns true when a value of the set may be read as one of an earlier part, whose label its own begins with.</summary>
        private bool HidesLabel(int[] set) => set.Select((part, i) => (Part: part, After: i == 0 ? 0 : set[i - 1] + 1)).Any(next =>
            Enumerable.Range(next.After, next.Part - next.After).Any(part => _template.Parts[part].Field.Kind != FieldKind.Number
                && _template.Parts[next.Part].Before.StartsWith(_template.Parts[part].Before, StringComparison.Ordinal)));

        /// <summary>Returns true when the template reads the parts of a set as they were written, one of them with a given value.</summary>
        private bool ReadsBack(int[] set, string? name = null, string value = "x")
        {
            var fields = set.Select(i => _template.Parts[i].Field);
            var answer = Answer.Of(fields.Select(field => KeyValuePair.Create(field.Name, Value(field))));
            return _template.Read(_template.Write(answer)) == answer;

            FieldValue Value(FieldDefinition field)
            {
                var text = field.Name == name ? value : "x";
                return field.Kind switch
                {
                    FieldKind.Number => new FieldValue(1),
                    FieldKind.List => new FieldValue([text]),
                    _ => new FieldValue(text),
                };
            }
        }

        /// <summary>
        /// Returns the nodes that may follow once the parts before <paramref name="next"/> are written or left out. The template also reads
        /// parts that may not follow: their nodes lead to no complete answer.
        /// </summary>
        /// <param name="sets">The sets of parts that may follow; null for any.</param>
        private IReadOnlyList<Node> After(int next, IReadOnlyList<int[]>? sets)
        {
            // Where the same parts may follow, the nodes are the same: copies for each set of fields would multiply all values.
            var key = $"{next} {(sets is null ? "any" : string.Concat(sets.Select(set => $"[{Key(set)}]")))}";
            if (_after.TryGetValue(key, out var known)) return known;
            var parts = new List<Node>();
            for (var i = next; i < _template.Parts.Count; i++)
            {
                var before = _template.Parts[i].Before;
                // An answer is read without the white space around it.
                var rest = next == 0 && before.TrimStart() != before ? []
                    : sets?.Where(set => set.FirstOrDefault(-1) == i).Select(set => set[1..]).ToList();
                parts.AddRange(Literal(before, Value(i, After(i + 1, rest), allowed: rest is not { Count: 0 })));
                // The template also reads a part after a separator that nothing precedes.
                if (next == 0 && i > 0)
                    parts.AddRange(Literal(AnswerTemplate.Separator + before, Value(i, After(i + 1, []), allowed: false)));
            }
            var end = (sets is null ? next > 0 : sets.Any(set => set.Length == 0)) ? _end : _otherEnd;
            return _after[key] = [end, .. next == 0 ? parts : Literal(AnswerTemplate.Separator, parts)];
        }

        private IReadOnlyList<Node> Value(int part, IReadOnlyList<Node> next, bool allowed)
        {
            if (_valueNodes.TryGetValue((part, next), out var known)) return known;
            var (before, field, suffix) = _template.Parts[part];
            var after = Literal(suffix, next);
            // Where a value cannot end, the label of a later part leads to no complete answer.
            var without = Literal(suffix, After(part + 1, []));
            // Text ends where a value begins, but digits may as well begin the text of a later part with the same label.
            IReadOnlyList<Node> cut = field.Kind == FieldKind.Number && _template.Parts.Skip(part + 1)
                .Any(later => later.Before.StartsWith(before, StringComparison.Ordinal)) ? [] : [_cut];
            var nodes = field.Kind == FieldKind.Number ? Number(after)
                : !allowed ? []
                : !_values.TryGetValue(field.Name, out var values) ? Text(after, without)
                : field.Kind == FieldKind.List ? List(values, after, without)
                : Tree(values, after, without);
            return _valueNodes[(part, next)] = [.. nodes, .. cut];
        }

        private IReadOnlyList<Node> Text(IReadOnlyList<Node> after, IReadOnlyList<Node> without)
        {
            var text = New(NodeKind.Text);
            text.Targets = [.. after, text];
            return [.. without, New(NodeKind.Visible, text.Targets)];
        }

        // [0-9]{1,12}(\.[0-9]+)?, as the template reads a number.
        private IReadOnlyList<Node> Number(IReadOnlyList<Node> after)
        {
            var decimals = New(NodeKind.Digit);
            decimals.Targets = [decimals, .. after];
            var end = new[] { New(NodeKind.Exact, [decimals], new Rune('.')) }.Concat(after).ToList();
            IReadOnlyList<Node> digits = [];
            for (var i = Digits; i > 0; i--) digits = [New(NodeKind.Digit, [.. digits, .. end])];
            return digits;
        }

        private IReadOnlyList<Node> List(IReadOnlyList<Rune[]> items, IReadOnlyList<Node> after, IReadOnlyList<Node> without)
        {
            // After an item comes the end of the list, or the separator, whose last character leads back to the items.
            var again = New(NodeKind.Exact, rune: new Rune(FieldValue.ItemSeparator[^1]));
            return again.Targets = Tree(
                items, [.. after, .. Literal(FieldValue.ItemSeparator[..^1], [again])], without);
        }

        /// <summary>Makes the nodes of several texts, one for each of their beginnings.</summary>
        private IReadOnlyList<Node> Tree(
            IEnumerable<Rune[]> texts, IReadOnlyList<Node> after, IReadOnlyList<Node> without, int length = 0) =>
        [
            .. texts.Where(text => text.Length > length).GroupBy(text => text[length]).Select(group => New(
                NodeKind.Exact,
                [.. group.Any(text => text.Length == length + 1) ? after : without, .. Tree(group, after, without, length + 1)],
                group.Key)),
        ];

        private IReadOnlyList<Node> Literal(string text, IReadOnlyList<Node> targets)
        {
            foreach (var rune in text.EnumerateRunes().Reverse()) targets = [New(NodeKind.Exact, targets, rune)];
            return targets;
        }

        private Node New(NodeKind kind, IReadOnlyList<Node>? targets = null, Rune rune = default) =>
            new(_nodes++, kind, rune) { Targets = targets ?? [] };
    }
}
