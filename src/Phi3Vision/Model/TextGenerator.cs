using System.Runtime.CompilerServices;
using System.Threading.Channels;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>Generates answers to prompts with a key-value cache. One call at a time: torch itself uses all threads.</summary>
public sealed class TextGenerator(Phi3VisionModel model)
{
    /// <summary>Generates complete answers on the calling thread.</summary>
    /// <param name="prompts">
    /// Rows of equal length, shorter prompts padded on the left; positions are counted from each row's first real token.
    /// </param>
    /// <returns>The answer of each row.</returns>
    /// <exception cref="ArgumentException">
    /// The settings are not valid, or the prompts do not fit the model or are padded on the right.
    /// </exception>
    public IReadOnlyList<GeneratedAnswer> Generate(ModelInput prompts, GenerationSettings settings, CancellationToken cancellationToken)
    {
        settings.Validate();
        using var session = new DecodingSession(model, prompts, settings.MaxTokens);
        var rows = Enumerable.Range(0, session.Rows).Select(_ => new List<GeneratedToken>()).ToArray();
        var stopped = new bool[session.Rows];
        foreach (var (token, stops) in Steps(session, settings, cancellationToken))
        {
            if (stops) stopped[token.Row] = true;
            else rows[token.Row].Add(token);
        }
        return [.. rows.Select((tokens, row) => new GeneratedAnswer(tokens, stopped[row]))];
    }

    /// <summary>
    /// Generates answers and yields every token when it is chosen, the tokens of one step in the order of the rows. A dedicated thread
    /// computes at most two tokens ahead of the reader; the thread ends with the enumeration, also when the reader abandons it.
    /// </summary>
    /// <param name="prompts">As for <see cref="Generate"/>; the tensors must live until the enumeration has ended.</param>
    /// <returns>The tokens without those that stop a row.</returns>
    /// <exception cref="ArgumentException">
    /// The settings are not valid; during the enumeration, the prompts do not fit the model.
    /// </exception>
    public IAsyncEnumerable<GeneratedToken> StreamAsync(
        ModelInput prompts, GenerationSettings settings, CancellationToken cancellationToken = default)
    {
        settings.Validate();
        return ReadAsync(prompts, settings, cancellationToken);
    }

    private async IAsyncEnumerable<GeneratedToken> ReadAsync(
        ModelInput prompts, GenerationSettings settings, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var channel = Channel.CreateBounded<GeneratedToken>(capacity: 1);
        // Torch's dispose scopes and its thread pool belong to the computing thread, so one thread runs all steps.
        var computing = Task.Factory.StartNew(
            () => Write(prompts, settings, channel.Writer, end.Token),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await foreach (var token in channel.Reader.ReadAllAsync(cancellationToken)) yield return token;
        }
        finally
        {
            // The thread must end before the caller frees the prompts. Waiting does not throw: Write hands failures to the channel.
            await end.CancelAsync();
            await computing;
        }
    }

    /// <summary>Writes all tokens to the channel and passes a failure on to the reader.</summary>
    private void Write(
        ModelInput prompts, GenerationSettings settings, ChannelWriter<GeneratedToken> writer, CancellationToken cancellationToken)
    {
        try
        {
            using var session = new DecodingSession(model, prompts, settings.MaxTokens);
            foreach (var (token, stops) in Steps(session, settings, cancellationToken))
            {
                if (stops) continue;
                while (!writer.TryWrite(token))
                    if (!writer.WaitToWriteAsync(cancellationToken).AsTask().GetAwaiter().GetResult()) return;
            }
            writer.Complete();
        }
        catch (Exception e)
        {
            writer.Complete(e);
        }
    }

    private static IEnumerable<(GeneratedToken Token, bool Stops)> Steps(
        DecodingSession session, GenerationSettings settings, CancellationToken cancellationToken)
    {
        var choice = TokenChoice.Create(settings, session);
        var done = new bool[session.Rows];
        var last = new long[session.Rows];
        for (var step = 0; step < settings.MaxTokens && !done.All(d => d); step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var chosen = Step(session, choice, step == 0 ? null : last);
            for (var row = 0; row < chosen.Length; row++)
            {
                var (id, logProbability) = chosen[row];
                // A row that has ended is fed on, since the batch keeps its shape; its tokens are not yielded.
                last[row] = id;
                if (done[row]) continue;
                done[row] = settings.StopTokens.Contains(id);
                yield return (new GeneratedToken(row, id, logProbability), done[row]);
            }
        }
    }

    private static (int Id, double LogProbability)[] Step(DecodingSession session, TokenChoice choice, long[]? last)
    {
        using var scope = NewDisposeScope();
        return choice.Choose(last is null ? session.Start() : session.Next(last));
    }
}

/// <summary>A generated token.</summary>
/// <param name="Row">Index of the prompt in the batch.</param>
/// <param name="Id">Id of the token.</param>
/// <param name="LogProbability">
/// Natural logarithm of the model's probability of the token, before penalty, temperature and filters: at most 0.
/// </param>
public readonly record struct GeneratedToken(int Row, int Id, double LogProbability);

/// <summary>The generated continuation of a prompt.</summary>
/// <param name="Tokens">Tokens in order, without the stop token.</param>
/// <param name="Stopped">True when a stop token ended the answer, false when <see cref="GenerationSettings.MaxTokens"/> did.</param>
public sealed record GeneratedAnswer(IReadOnlyList<GeneratedToken> Tokens, bool Stopped)
{
    /// <summary>Ids of the tokens, in order.</summary>
    public IEnumerable<int> Ids => Tokens.Select(token => token.Id);
}

/// <summary>
/// Feeds prompts, then one token per row and step, to a model with a key-value cache and returns the next token's logits. The choice of
/// tokens is left to <see cref="TextGenerator"/>. Positions are counted from each row's first real token.
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
        var length = input.InputIds.shape[1];
        // Only the last position's logits are needed.
        var last = length == 1
            ? null : torch.tensor(Enumerable.Range(1, Rows).Select(row => row * length - 1).ToArray(), device: _model.Device);
        // [B, 1, H] or [B, H] → [B, V].
        return _model.Logits(_model.Hidden(input, _cache, positions: last).view(Rows, -1)).MoveToOuterDisposeScope();
    }
}

/// <summary>Number of padding positions at the left of each prompt in a batch.</summary>
internal sealed class LeftPadding
{
    private readonly int[] _counts;

    private LeftPadding(int[] counts) => _counts = counts;

    /// <summary>Reads an attention mask, I64 [B, L].</summary>
    /// <returns>The padding; null when nothing is padding.</returns>
    /// <exception cref="ArgumentException">The mask has another shape, or a zero after the beginning of a row.</exception>
    public static LeftPadding? Of(Tensor? mask, int rows, int length)
    {
        if (mask is null) return null;
        if (!(mask.shape is [var r, var l] && r == rows && l == length))
            throw new ArgumentException($"AttentionMask must be I64 [{rows}, {length}], but is [{string.Join(", ", mask.shape)}].");
        var values = CheckedInput.Values(mask).Chunk(length).ToArray();
        var counts = values.Select(row => row.TakeWhile(value => value == 0).Count()).ToArray();
        if (values.Any(row => row[^1] == 0 || row.SkipWhile(value => value == 0).Any(value => value == 0)))
            throw new ArgumentException("Prompts must be padded on the left, and only there.");
        return counts.All(count => count == 0) ? null : new LeftPadding(counts);
    }

    /// <summary>Returns the number of padding positions of a row.</summary>
    public int Count(int row) => _counts[row];

    /// <summary>
    /// Makes position ids, I64 [B, length], from column <paramref name="start"/>: column - padding, or 1 for padding as in the published
    /// code.
    /// </summary>
    public Tensor Positions(int start, int length) =>
        torch.tensor(
            _counts.SelectMany(count => Enumerable.Range(start, length).Select(i => i < count ? 1L : i - count)).ToArray(),
            [_counts.Length, length]);

    /// <summary>Makes the attention mask, I64 [B, length]: 0 for padding, 1 for real positions.</summary>
    public Tensor Mask(int length) =>
        torch.tensor(
            _counts.SelectMany(count => Enumerable.Range(0, length).Select(i => i < count ? 0L : 1L)).ToArray(),
            [_counts.Length, length]);
}
