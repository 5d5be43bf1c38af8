namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Many tasks of an orchestrator with a bound on how many wait at once.</summary>
internal static class BoundedFanOut
{
    /// <summary>
    /// Calls each item's task in order, at most <paramref name="atOnce"/> at a time, and says when one has finished. Only awaits the
    /// orchestrator's own tasks, so that a replay takes the same way. The first failure ends it.
    /// </summary>
    public static async Task ForEachAsync<TItem>(IReadOnlyList<TItem> items, int atOnce, Func<TItem, Task> call, Action? finished = null)
    {
        var next = 0;
        var waiting = new List<Task>(atOnce);
        while (next < items.Count || waiting.Count > 0)
        {
            while (next < items.Count && waiting.Count < atOnce) waiting.Add(call(items[next++]));
            var first = await Task.WhenAny(waiting);
            waiting.Remove(first);
            await first;
            finished?.Invoke();
        }
    }
}
