using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>Prepares batches on background threads, a few ahead of the thread that computes.</summary>
/// <param name="padding">The id that fills shorter rows.</param>
/// <param name="maxLength">Tokens that the model has room for.</param>
internal sealed class BatchReader(ImageSource images, RowBuilder rows, int padding, int maxLength)
{
    private const int Ahead = 3;

    /// <summary>The batches in order. Ending the enumeration ends the preparation.</summary>
    /// <param name="augmentation">Draws a change for each picture; they stay as they are without.</param>
    /// <exception cref="TrainingException">An image cannot be read, or a row is longer than the model's context.</exception>
    public IEnumerable<TrainingBatch> Read(
        IEnumerable<IReadOnlyList<Sample>> batches, Random? augmentation, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var ready = new BlockingCollection<TrainingBatch>(Ahead);
        var producer = Task.Run(() => Produce(batches, augmentation, ready, stop.Token), CancellationToken.None);
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

    /// <summary>Prompts without answers, for generation.</summary>
    public TrainingBatch Prompts(IEnumerable<Sample> samples) =>
        new([.. samples.Select(s => Prepare(s, images.Get(s))).Select(p => (p.Row.PromptOnly(), p.Image))], padding, padLeft: true);

    private (TrainingRow Row, ProcessedImage Image) Prepare(Sample sample, HdPicture picture)
    {
        var image = ImageProcessor.Views(picture);
        var row = rows.Row(image.Tokens, sample.Answer);
        if (row.Ids.Length > maxLength)
            throw new TrainingException(
                $"{sample.Labels.Key} takes {row.Ids.Length} tokens, {image.Tokens} of them for its image; " +
                $"the model has room for {maxLength}. Lower training.numCrops.");
        return (row, image);
    }

    private void Produce(
        IEnumerable<IReadOnlyList<Sample>> batches, Random? augmentation, BlockingCollection<TrainingBatch> ready,
        CancellationToken cancellationToken)
    {
        try
        {
            foreach (var samples in batches)
            {
                // Drawn before the work is spread over threads, so that the seed decides.
                var changes = samples.Select(_ => augmentation is null ? default(Augmentation?) : Augmentation.Draw(augmentation)).ToList();
                var prepared = samples.AsParallel().AsOrdered().Select((sample, i) =>
                {
                    var picture = images.Get(sample);
                    return Prepare(sample, changes[i]?.Apply(picture) ?? picture);
                });
                ready.Add(new TrainingBatch([.. prepared], padding), cancellationToken);
            }
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
