namespace FunctionsPipeline.FineTuning;

/// <summary>Which samples come when.</summary>
internal static class SampleOrder
{
    /// <summary>
    /// Endless batches over reshuffled passes; a batch may span the end of one pass and the beginning of the next, so none is short.
    /// </summary>
    public static IEnumerable<IReadOnlyList<Sample>> Shuffled(IReadOnlyList<Sample> samples, int batchSize, int seed)
    {
        var batch = new List<Sample>(batchSize);
        for (var epoch = 0; ; epoch++)
        {
            var order = samples.ToArray();
            new Random(unchecked(seed * 7919 + epoch)).Shuffle(order);
            foreach (var sample in order)
            {
                batch.Add(sample);
                if (batch.Count < batchSize) continue;
                yield return batch;
                batch = new List<Sample>(batchSize);
            }
        }
    }
}
