using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Feeds prompts, then one token per row and step, to a model with a key-value cache and returns the next token's logits. The choice of
/// tokens is left to <see cref="Generator"/>. Positions are counted from each row's first real token.
/// </summary>
public sealed class DecodingSession : IDisposable
{
    private readonly Phi3VisionModel _model;
    private readonly ModelInput _prompts;
    private readonly LeftPadding? _padding;
    private readonly KeyValueCache _cache;

    /// <param name="prompts">
    /// Rows of equal length, shorter prompts padded on the left. The tensors must live until <see cref="Start"/> has been called.
    /// </param>
    /// <param name="maxTokens">
    /// Maximum number of tokens that follow a prompt; the memory for their keys and values is allocated here.
    /// </param>
    /// <exception cref="ArgumentException">The prompts are not I64 [B, L], or padded elsewhere than on the left.</exception>
    public DecodingSession(Phi3VisionModel model, ModelInput prompts, int maxTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        if (prompts.InputIds.shape is not [> 0, > 0]) throw new ArgumentException("InputIds must be I64 [B, L].", nameof(prompts));
        (_model, _prompts) = (model, prompts);
        (Rows, PromptLength) = ((int)prompts.InputIds.shape[0], (int)prompts.InputIds.shape[1]);
        _padding = LeftPadding.Of(prompts.AttentionMask, Rows, PromptLength);
        // Minus one: the last generated token is never fed.
        _cache = new KeyValueCache(model, Rows, PromptLength + maxTokens - 1);
    }

    /// <summary>Number of rows of the batch.</summary>
    public int Rows { get; }

    /// <summary>Number of positions of a prompt, padding included.</summary>
    public int PromptLength { get; }

    /// <summary>Feeds the prompts. Must be the first call, and made once.</summary>
    /// <returns>Logits of each row's first new token: F32 [B, V], on the model's device.</returns>
    /// <exception cref="ArgumentException">The prompts do not fit the model.</exception>
    public Tensor Start()
    {
        if (_cache.Length > 0) throw new InvalidOperationException("The prompts have been fed already.");
        using var scope = NewDisposeScope();
        return Logits(_prompts with { PositionIds = _padding?.Positions(0, PromptLength) }).MoveToOuterDisposeScope();
    }

    /// <summary>Feeds one token of each row.</summary>
    /// <param name="tokens">One token per row; any token for a row that has ended.</param>
    /// <returns>Logits of each row's next token: F32 [B, V], on the model's device.</returns>
    /// <exception cref="ArgumentException">The tokens do not fit the model, or exceed the allocated memory.</exception>
    public Tensor Next(ReadOnlySpan<long> tokens)
    {
        if (_cache.Length == 0) throw new InvalidOperationException("The prompts have not been fed yet.");
        if (tokens.Length != Rows) throw new ArgumentException($"{tokens.Length} tokens for {Rows} rows.", nameof(tokens));
        using var scope = NewDisposeScope();
        return Logits(new ModelInput(
            torch.tensor(tokens.ToArray(), [Rows, 1]),
            _padding?.Mask(_cache.Length + 1),
            PositionIds: _padding?.Positions(_cache.Length, 1))).MoveToOuterDisposeScope();
    }

    /// <summary>Returns the ids of a row's prompt without its padding, image positions (negative ids) included.</summary>
    public long[] PromptIds(int row) =>
        CheckedInput.Values(_prompts.InputIds)[(row * PromptLength + (_padding?.Count(row) ?? 0))..((row + 1) * PromptLength)];

    /// <inheritdoc />
    public void Dispose() => _cache.Dispose();

    private Tensor Logits(ModelInput input)
    {
        using var noGradients = torch.no_grad();
        using var scope = NewDisposeScope();
        var hidden = _model.Hidden(input, _cache);
        // Only the last position's logits are needed: [B, L, H] → [B, H] → [B, V].
        return _model.Logits(hidden.select(1, hidden.shape[1] - 1)).MoveToOuterDisposeScope();
    }
}
