using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace FunctionsPipeline.FineTuning;

/// <summary>Prepares batches on background threads, a few ahead of the thread that computes.</summary>
/// <param name="padding">The id that fills shorter rows.</param>
/// <param name="maxLength">Tokens that the model has room for.</param>
internal sealed class BatchReader(ImageSource images, RowBuilder rows, int padding, int maxLength)
{
    private const int Ahead = 4;

    /// <summary>The batches in order. Ending the enumeration ends the preparation.</summary>
    /// <exception cref="TrainingException">An image cannot be read, or a row is longer than the model's context.</exception>
    public IEnumerable<TrainingBatch> Read(IEnumerable<IReadOnlyList<Sample>> batches, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var ready = new BlockingCollection<TrainingBatch>(Ahead);
        var producer = Task.Run(() => Prepare(batches, ready, stop.Token), CancellationToken.None);
        try
        {
            foreach (var batch in ready.GetConsumingEnumerable(cancellationToken)) yield return batch;
            producer.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
            Task.WhenAny(producer).GetAwaiter().GetResult();
        }
    }

    /// <summary>One sample as a row, and its image.</summary>
    public (TrainingRow Row, ImageViews Image) Prepare(Sample sample)
    {
        var image = images.Get(sample);
        var row = rows.Row(image.Tokens, sample.Answer);
        if (row.Ids.Length > maxLength)
            throw new TrainingException($"{sample.Labels.Key} takes {row.Ids.Length} tokens, {image.Tokens} of them for its image; the model has room for {maxLength}. Lower training.numCrops.");
        return (row, image);
    }

    private void Prepare(IEnumerable<IReadOnlyList<Sample>> batches, BlockingCollection<TrainingBatch> ready, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var samples in batches)
                ready.Add(new TrainingBatch([.. samples.AsParallel().AsOrdered().Select(Prepare)], padding), cancellationToken);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
        finally
        {
            ready.CompleteAdding();
        }
    }
}
