using FunctionsPipeline.FineTuning;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Phi3Vision;
using FunctionsPipeline.Phi3Vision.Text;

namespace FunctionsPipeline.GpuWorker.Tests;

public sealed class StreamingDetokenizerTests
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Parse(TokenizerTrainer.Train(["Category: Hats", "Category: Coats"], 340));
    private static readonly RowBuilder Rows = new(Tokenizer, new ServingSettings());

    [Theory]
    [InlineData("Category: Hats")]
    [InlineData("Category: Kåpe, 12 €")]
    [InlineData("  Hats \n\n Coats  ")]
    [InlineData("😀")]
    [InlineData("")]
    public void Pieces_add_up_to_the_text(string text)
    {
        var ids = Tokenizer.Encode(text, addBos: false);
        Assert.Equal(Rows.Decode(ids), string.Concat(Pieces(ids)));
    }

    [Fact]
    public void A_letter_of_several_bytes_is_not_shown_before_its_last_one()
    {
        var ids = Tokenizer.Encode("Hats €", addBos: false);
        Assert.DoesNotContain(Pieces(ids), piece => piece.Contains('\uFFFD'));
        Assert.Equal("€", Pieces(ids)[^1].Trim());
    }

    [Fact]
    public void Bytes_that_turn_out_to_be_broken_are_what_the_tokenizer_says()
    {
        // é, then the first byte of three: all three become U+FFFD, though é alone would be a letter.
        int[] ids = [.. Tokenizer.Encode("Hats", addBos: false), 3 + 0xC3, 3 + 0xA9, 3 + 0xE2, .. Tokenizer.Encode("Coats", addBos: false)];
        Assert.Equal(Rows.Decode(ids), string.Concat(Pieces(ids)));
    }

    private static List<string> Pieces(int[] ids)
    {
        var text = new StreamingDetokenizer(Tokenizer, Rows);
        return [.. ids.Select(text.Add), text.Finish()];
    }
}
