using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

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

    // The definition: the whole text as one word, without cuts and without a cache.
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
