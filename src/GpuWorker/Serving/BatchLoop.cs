using System.Collections.Concurrent;
using System.Threading.Channels;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Shared;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>
/// Computes answers on one thread, a batch at a time: the first image that waits, and those that come within
/// <see cref="ServingOptions.BatchWait"/>. Stops after what was handed over before.
/// </summary>
internal sealed class BatchLoop(
    ServingOptions options, PacedRetry pace, ServingMetrics metrics, TimeProvider time, ILogger<BatchLoop> logger) : BackgroundService
{
    private readonly BlockingCollection<WaitingImage> _waiting = [];

    /// <summary>Held by whoever computes with the serving model, since torch itself uses all threads.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>Computes the answer to an image together with others.</summary>
    /// <param name="predictor">Predictor that prepared the image. It is no longer in use once the task has ended.</param>
    /// <exception cref="OperationCanceledException">The caller has gone.</exception>
    public Task<PredictedAnswer> AnswerAsync(Predictor predictor, PreparedImage image, CancellationToken cancellationToken)
    {
        var waiting = new WaitingImage(predictor, image, cancellationToken);
        _waiting.Add(waiting, CancellationToken.None);
        return waiting.Answer.Task;
    }

    /// <summary>
    /// Computes the answer to an image alone, when it is its turn, into a channel that holds all of it, so that a slow reader keeps nobody
    /// waiting. Failures go through the channel.
    /// </summary>
    /// <param name="predictor">Predictor that prepared the image. It is in use until the task has ended.</param>
    public async Task StreamAsync(
        Predictor predictor, PreparedImage image, GenerationSettings settings, ChannelWriter<AnswerPiece> pieces,
        CancellationToken cancellationToken)
    {
        try
        {
            var tokens = 0;
            await Turn.WaitAsync(cancellationToken);
            try
            {
                await foreach (var piece in predictor.StreamAsync(image, settings, cancellationToken))
                {
                    pieces.TryWrite(piece);
                    tokens = piece.Tokens;
                }
            }
            finally
            {
                Turn.Release();
            }
            metrics.CountTokens(tokens);
            pieces.Complete();
        }
        catch (Exception e)
        {
            pieces.Complete(e);
        }
    }

    // Torch keeps a pool of threads for each thread that computes.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Factory.StartNew(
        () => Run(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var first in _waiting.GetConsumingEnumerable(stoppingToken))
            {
                Turn.Wait(stoppingToken);
                try
                {
                    // Images of two models meet in a batch when the serving model has just changed.
                    foreach (var batch in Collect(first, stoppingToken).GroupBy(waiting => waiting.Predictor))
                        Compute(batch.Key, [.. batch], stoppingToken);
                }
                finally
                {
                    Turn.Release();
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server has answered its last request, or aborted it.
        }
        finally
        {
            _waiting.CompleteAdding();
            while (_waiting.TryTake(out var left)) left.Answer.TrySetCanceled(stoppingToken);
        }
    }

    private List<WaitingImage> Collect(WaitingImage first, CancellationToken stoppingToken)
    {
        var batch = new List<WaitingImage>();
        var started = time.GetTimestamp();
        var next = first;
        do
        {
            if (next.IsWanted()) batch.Add(next);
            if (batch.Count == options.Batch) break;
            var left = options.BatchWait - time.GetElapsedTime(started);
            if (!_waiting.TryTake(out next!, Math.Max(0, (int)left.TotalMilliseconds), stoppingToken)) break;
        }
        while (true);
        return batch;
    }

    private void Compute(Predictor predictor, WaitingImage[] batch, CancellationToken stoppingToken)
    {
        var started = time.GetTimestamp();
        try
        {
            var answers = predictor.Answer([.. batch.Select(waiting => waiting.Image)], stoppingToken);
            pace.Completed(batch.Length, time.GetElapsedTime(started));
            metrics.CountBatch(answers);
            foreach (var (waiting, answer) in batch.Zip(answers)) waiting.Answer.TrySetResult(answer);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            foreach (var waiting in batch) waiting.Answer.TrySetCanceled(stoppingToken);
            throw;
        }
        catch (Exception e) when (batch.Length > 1)
        {
            logger.BatchFailed(e, batch.Length);
            foreach (var waiting in batch) Compute(predictor, [waiting], stoppingToken);
        }
        catch (Exception e)
        {
            batch[0].Answer.TrySetException(e);
        }
    }

    /// <summary>An image that waits for its answer.</summary>
    private sealed record WaitingImage(Predictor Predictor, PreparedImage Image, CancellationToken CancellationToken)
    {
        public TaskCompletionSource<PredictedAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Returns false when the caller has gone, and ends its wait.</summary>
        public bool IsWanted() => !CancellationToken.IsCancellationRequested || !Answer.TrySetCanceled(CancellationToken);
    }
}
