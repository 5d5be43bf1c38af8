using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.StandIns;

[CollectionDefinition(nameof(DisposeScopeTests), DisableParallelization = true)]
[Collection(nameof(DisposeScopeTests))]
public sealed class DisposeScopeTests
{
    [Fact]
    public void A_scope_frees_what_was_made_in_it_and_keeps_what_was_moved_out()
    {
        Tensor detached, moved, inner;
        using (var outer = NewDisposeScope())
        {
            using (var scope = NewDisposeScope())
            {
                inner = ones(2);
                moved = (inner + 1).MoveToOuterDisposeScope();
                detached = scope.Detach(inner + 2);
                Assert.Equal(1, scope.DisposablesCount);
            }
            Assert.True(inner.IsInvalid);
            Assert.Equal(2f, moved[0].item<float>());
            Assert.True(outer.Contains(moved));
            Assert.Throws<InvalidOperationException>(() => inner.shape);
        }
        Assert.True(moved.IsInvalid);
        Assert.Equal(3f, detached[0].item<float>());
        using (var scope = NewDisposeScope()) scope.Attach(detached);
        Assert.True(detached.IsInvalid);
    }

    [Fact]
    public void Statistics_count_per_thread()
    {
        var statistics = DisposeScopeManager.Statistics.TensorStatistics;
        statistics.Reset();
        using (var outside = zeros(1))
        using (NewDisposeScope())
        {
            var a = outside + 1;
            _ = a + 1;
            a.Dispose();
            (outside * 2).DetachFromDisposeScope().Dispose();
        }
        Assert.Equal((1, 2, 3, 2, 1), (statistics.CreatedOutsideScopeCount, statistics.DisposedOutsideScopeCount,
            statistics.CreatedInScopeCount, statistics.DisposedInScopeCount, statistics.DetachedFromScopeCount));
        Assert.Equal(0, statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void A_scope_does_not_reach_into_other_threads()
    {
        using var scope = NewDisposeScope();
        Tensor? elsewhere = null;
        var thread = new Thread(() => elsewhere = ones(1));
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.DisposablesCount);
        elsewhere!.Dispose();
    }

    [Fact]
    public void A_parameter_takes_the_place_of_the_tensor_it_is_made_of()
    {
        using var scope = NewDisposeScope();
        var data = zeros(3);
        var parameter = nn.Parameter(data);
        Assert.True(data.IsInvalid);
        Assert.True(scope.Contains(parameter));
        Assert.Equal(1, scope.DisposablesCount);
    }

    [Fact]
    public void Finalizers_free_tensors_that_nobody_disposed()
    {
        Collect();
        var before = Tensor.TotalCount;
        var resident = Environment.WorkingSet;
        Forget(20);
        Collect();
        Assert.Equal(before, Tensor.TotalCount);
        Assert.True(Environment.WorkingSet - resident < 200 << 20, "the storage of forgotten tensors is still there");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(int count)
    {
        for (var k = 0; k < count; k++) _ = ones(5 << 20);
    }

    private static void Collect()
    {
        for (var k = 0; k < 2; k++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
