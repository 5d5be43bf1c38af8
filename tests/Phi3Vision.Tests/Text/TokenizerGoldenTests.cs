using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.Phi3Vision;

/// <summary>The real tokenizer's files against ids that the reference implementation gave.</summary>
public sealed class TokenizerGoldenTests
{
    private const string Folder = "golden/tokenizer";
    private static readonly Lazy<TokenizerCases> Cases =
        new(() => new(TestData.Path(Folder), Tokenizer.Load(TestData.Path("data/phi3v-tokenizer"))));

    [TestDataFact($"{Folder}/cases.jsonl")]
    public void Texts_get_the_ids_of_the_published_tokenizer_and_come_back() => Cases.Value.Texts();

    [TestDataFact($"{Folder}/decode_cases.jsonl")]
    public void Ids_without_a_meaning_and_bytes_that_are_not_text_decode_like_the_published_tokenizer() => Cases.Value.Decoding();

    [TestDataFact($"{Folder}/prompt_cases.jsonl")]
    public void Prompts_with_images_get_the_ids_of_the_published_processor() => Cases.Value.Prompts();

    [TestDataFact($"{Folder}/prompt_error_cases.jsonl")]
    public void Prompts_that_the_published_processor_refuses_are_refused() => Cases.Value.RefusedPrompts();
}
