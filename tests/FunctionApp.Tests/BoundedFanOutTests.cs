using FunctionsPipeline.FunctionApp.Orchestration;

namespace FunctionsPipeline.Tests.FunctionApp;

public class BoundedFanOutTests
{
    [Fact]
    public async Task No_more_than_the_bound_wait_at_once_and_a_finished_one_makes_room()
    {
        var sources = Enumerable.Range(0, 5).Select(_ => new TaskCompletionSource()).ToList();
        var called = new List<int>();
        var finished = 0;
        var all = BoundedFanOut.ForEachAsync([0, 1, 2, 3, 4], 2, item =>
        {
            called.Add(item);
            return sources[item].Task;
        }, () => finished++);

        Assert.Equal([0, 1], called);
        sources[1].SetResult();
        Assert.Equal([0, 1, 2], called);
        Assert.Equal(1, finished);
        foreach (var item in new[] { 0, 2, 3, 4 }) sources[item].SetResult();
        await all;
        Assert.Equal(5, finished);
    }

    [Fact]
    public async Task The_first_failure_ends_it()
    {
        var called = 0;
        await Assert.ThrowsAsync<InvalidOperationException>(() => BoundedFanOut.ForEachAsync([1, 2, 3], 1, async item =>
        {
            called++;
            await Task.Yield();
            if (item == 2) throw new InvalidOperationException();
        }));
        Assert.Equal(2, called);
    }
}
