using System.Runtime.CompilerServices;
using System.Threading.Channels;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Generates answers to prompts with a key-value cache. One call at a time: torch itself uses all threads.</summary>
public sealed class Generator(Phi3VisionModel model)
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
