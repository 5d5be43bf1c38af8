using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>The scopes of a thread, and its counts of tensors created and disposed.</summary>
public class DisposeScopeManager
{
    [ThreadStatic] private static DisposeScopeManager? singleton;

    internal static DisposeScopeManager ThreadSingleton => singleton ??= new();

    public static ThreadDisposeScopeStatistics Statistics => ThreadSingleton.statistics;

    private readonly ThreadDisposeScopeStatistics statistics = new();

    internal LifetimeStatistics Tensors => statistics.TensorStatistics;

    internal DisposeScope? Current { get; private set; }

    internal DisposeScope New() => Current = new DisposeScope(this);

    internal DisposeScope? Register(Tensor tensor)
    {
        if (Current is null)
        {
            Tensors.CreatedOutsideScopeCount++;
            return null;
        }
        Tensors.CreatedInScopeCount++;
        Current.Disposables.Add(tensor);
        return Current;
    }

    internal void Disposing(Tensor tensor)
    {
        if (tensor.OwningDisposeScope is null) Tensors.DisposedOutsideScopeCount++;
        else Tensors.DisposedInScopeCount++;
    }

    // Scopes may end out of order: then the inner ones hang on to what is left.
    internal void Remove(DisposeScope scope)
    {
        if (Current == scope)
        {
            Current = scope.OuterScope;
            return;
        }
        for (var inner = Current; inner is not null; inner = inner.OuterScope)
        {
            if (inner.OuterScope != scope) continue;
            inner.OuterScope = scope.OuterScope;
            return;
        }
    }
}
