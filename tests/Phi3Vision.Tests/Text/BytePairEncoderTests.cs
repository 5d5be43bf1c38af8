using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

public sealed class BytePairEncoderTests
{
    [Fact]
    public void Merges_are_done_as_the_definition_says_also_when_pieces_overlap()
    {
        var random = new Random(11);
        for (var round = 0; round < 50; round++)
        {
            var vocabulary = new Dictionary<string, int> { ["a"] = 300, ["b"] = 301, ["c"] = 302 };
            var merges = new List<(string Left, string Right)>();
            while (merges.Count < 12)
            {
                var pieces = vocabulary.Keys.ToList();
                var pair = (Left: pieces[random.Next(pieces.Count)], Right: pieces[random.Next(pieces.Count)]);
                if (!merges.Contains(pair) && vocabulary.TryAdd(pair.Left + pair.Right, 300 + vocabulary.Count)) merges.Add(pair);
            }
            var encoder = new BytePairEncoder(vocabulary, merges);
            for (var i = 0; i < 50; i++)
            {
                var word = string.Concat(random.GetItems<char>("abc", random.Next(1, 40)));
                Assert.Equal(ByDefinition(word, merges).Select(piece => vocabulary[piece]), encoder.Encode(word));
            }
        }
    }

    [Fact]
    public void A_merge_of_pieces_that_are_not_there_is_refused()
    {
        var vocabulary = new Dictionary<string, int> { ["a"] = 300 };
        var error = Assert.Throws<InvalidDataException>(() => new BytePairEncoder(vocabulary, [("a", "b")]));
        Assert.Contains("merge 0", error.Message);
    }

    private static List<string> ByDefinition(string word, List<(string Left, string Right)> merges)
    {
        var pieces = word.Select(c => c.ToString()).ToList();
        while (true)
        {
            var ranks = Enumerable.Range(0, pieces.Count - 1)
                .Select(i => (Rank: merges.IndexOf((pieces[i], pieces[i + 1])), At: i)).Where(pair => pair.Rank >= 0).ToList();
            if (ranks.Count == 0) return pieces;
            var (_, at) = ranks.Min();
            pieces[at] += pieces[at + 1];
            pieces.RemoveAt(at + 1);
        }
    }
}
