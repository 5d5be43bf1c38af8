namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Fan-out of an orchestrator with a bound on the number of open tasks.</summary>
internal static class BoundedFanOut
{
    /// <summary>
    /// Calls the items' tasks in order, at most <paramref name="atOnce"/> at a time, and reports each completion. Awaits only the
    /// orchestrator's own tasks, so that a replay is deterministic. The first failure ends the fan-out.
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
