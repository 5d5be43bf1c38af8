using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Phi3Vision.Tests.Text;

public sealed class WordEncoderTests
{
    private const string Alphabet = "▁▁▁▁abcdeilnorstABC019.,:-\n\t<|>éß价格🧣🧥";
    private static readonly string ExcerptFile = Path.Combine(AppContext.BaseDirectory, "Fixtures", "tokenizer", Tokenizer.FileName);

    [Fact]
    public void Cutting_and_remembering_words_changes_no_id() => CompareWithWholeTexts(ExcerptFile, texts: 3000);

    [TestDataFact("data/phi3v-tokenizer/tokenizer.json")]
    public void Cutting_and_remembering_words_changes_no_id_of_the_published_tokenizer() =>
        CompareWithWholeTexts(TestData.Path("data/phi3v-tokenizer/tokenizer.json"), texts: 3000);

    [Fact]
    public void Threads_that_share_the_cache_get_the_same_ids()
    {
        var (words, whole) = Encoders(ExcerptFile);
        var texts = Texts(2000);
        var expected = texts.Select(text => whole.Encode(text)).ToList();
        Parallel.For(0, 8, thread =>
        {
            for (var i = 0; i < texts.Count; i++)
            {
                var at = (i * 7 + thread * 101) % texts.Count;
                var ids = new List<int>();
                words.Encode(texts[at], ids);
                Assert.Equal(expected[at], ids);
            }
        });
    }

    [Fact]
    public void The_cache_keeps_one_word_in_a_place()
    {
        var cache = new WordCache();
        cache.Add("one", 7, [1]);
        Assert.Equal([1], cache.Find("one", 7)!);
        Assert.Null(cache.Find("two", 7));
        cache.Add("two", 7, [2]);
        Assert.Equal([2], cache.Find("two", 7)!);
        Assert.Null(cache.Find("one", 7));
    }

    // The definition: the complete text as one word, without cuts and without a cache.
    private static void CompareWithWholeTexts(string file, int texts)
    {
        var (words, whole) = Encoders(file);
        foreach (var text in Texts(texts))
        {
            var ids = new List<int>();
            words.Encode(text, ids);
            Assert.Equal(whole.Encode(text), ids);
        }
    }

    private static (WordEncoder Words, BytePairEncoder Whole) Encoders(string path)
    {
        var file = TokenizerFile.Parse(File.ReadAllBytes(path), path);
        var encoder = new BytePairEncoder(file.Vocabulary, file.Merges);
        return (new WordEncoder(encoder, new CharacterPairs(file.Vocabulary.Keys)), encoder);
    }

    private static List<string> Texts(int count)
    {
        var random = new Random(3);
        var runes = Alphabet.EnumerateRunes().ToArray();
        return [.. Enumerable.Range(0, count).Select(_ => string.Concat(random.GetItems(runes, random.Next(1, 80))))];
    }
}

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
