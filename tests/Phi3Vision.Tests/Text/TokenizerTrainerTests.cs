using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.Phi3Vision.Tests.Text;

public sealed class TokenizerTrainerTests
{
    private static readonly string[] Texts =
    [
        "What is shown in this image?",
        .. Enumerable.Range(0, 40).Select(i =>
            $"Product: {(i % 2 == 0 ? "Check Cotton" : "Plain Wool")} {(i % 3 == 0 ? "Scarf" : "Coat")}, "
            + $"Category: {(i % 3 == 0 ? "SCARVES" : "COATS")}, Full Price: {100 + i * 7.5}"),
    ];

    private static readonly Tokenizer Trained = Tokenizer.Parse(TokenizerTrainer.Train(Texts, 512));

    [Theory]
    [InlineData("Product: Check Cotton Scarf, Category: SCARVES, Full Price: 450")]
    [InlineData("  two  spaces and a trailing one ")]
    [InlineData("line\nbreak\ttab")]
    [InlineData("Crème brûlée 🧣 価格")]
    [InlineData("▁")]
    [InlineData("")]
    public void What_is_encoded_comes_back(string text)
    {
        // A space and its visible form are the same to every tokenizer of this kind.
        Assert.Equal(text.Replace('▁', ' '), Trained.Decode(Trained.Encode(text)));
    }

    [Fact]
    public void Words_of_the_catalog_are_one_token_each()
    {
        Assert.Equal(
            ["▁Product", ":", "▁Check", "▁Cotton", "▁Scarf", ",", "▁Category", ":", "▁SCARVES"],
            Trained.Encode("Product: Check Cotton Scarf, Category: SCARVES", addBos: false).Select(Trained.Token));
    }

    [Fact]
    public void Every_number_is_spelled_digit_by_digit()
    {
        Assert.Equal(["▁", "1", "2", "0", "7", ".", "5"], Trained.Encode("1207.5", addBos: false).Select(Trained.Token));
        Assert.Equal(["▁", "1", "0", "0"], Trained.Encode("100", addBos: false).Select(Trained.Token));
    }

    [Fact]
    public void Added_tokens_are_the_published_ones_and_end_the_vocabulary()
    {
        Assert.Equal(1, Trained.Id("<s>"));
        Assert.Equal(13, Trained.Encode("\n", addBos: false)[^1]);
        Assert.Equal(Trained.VocabularySize - 1, Trained.Id("<|image|>"));
        Assert.Equal(Trained.VocabularySize - 45, Trained.Id("<|endoftext|>"));
        Assert.Equal(Trained.Id("<|endoftext|>") + 10, Trained.Id("<|user|>"));
        Assert.Equal(Trained.Id("<|endoftext|>"), Presets.Tiny(Trained.VocabularySize).PadTokenId);
        Assert.Equal([1, Trained.Id("<|end|>"), Trained.Id("<|assistant|>")], Trained.Encode("<|end|><|assistant|>\n"));
    }

    [TestDataFact("data/phi3v-tokenizer/tokenizer.json")]
    public void Added_tokens_have_the_order_and_the_properties_of_the_published_file()
    {
        var published = Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"));
        foreach (var token in SpecialTokens.Added)
        {
            Assert.Equal(published.Id(token) - 32000, Trained.Id(token) - Trained.Id("<|endoftext|>"));
            Assert.Equal(published.Encode(token + "\n").Length, Trained.Encode(token + "\n").Length);
        }
    }

    [Fact]
    public void The_same_texts_in_any_order_give_the_same_tokenizer()
    {
        Assert.Equal(TokenizerTrainer.Train(Texts, 512), TokenizerTrainer.Train(Texts.Reverse(), 512));
    }

    [Fact]
    public void The_vocabulary_is_no_larger_than_asked_for_and_too_small_a_one_is_refused()
    {
        Assert.Equal(400, Tokenizer.Parse(TokenizerTrainer.Train(Texts, 400)).VocabularySize);
        Assert.Contains("at least", Assert.Throws<ArgumentException>(() => TokenizerTrainer.Train(Texts, 305)).Message);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("{}")]
    [InlineData("""{"model":{"type":"WordPiece"},"added_tokens":[]}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]},"added_tokens":[]}""")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a",null]]},"added_tokens":[]}""")]
    public void A_file_of_another_kind_is_refused(string json) => Assert.Throws<InvalidDataException>(() => Tokenizer.Parse(json));
}
