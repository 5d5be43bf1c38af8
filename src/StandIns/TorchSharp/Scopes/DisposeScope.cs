using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>Owns the tensors that its thread creates while it is the innermost scope, and frees them when it ends.</summary>
public sealed class DisposeScope : IDisposable
{
    private DisposeScopeManager? manager;

    internal DisposeScope(DisposeScopeManager manager)
    {
        this.manager = manager;
        OuterScope = manager.Current;
    }

    internal DisposeScope? OuterScope { get; set; }

    internal HashSet<IDisposable> Disposables { get; private set; } = new(ReferenceEqualityComparer.Instance);

    public int DisposablesCount => Disposables.Count;

    public IReadOnlyList<IDisposable> DisposablesView => [.. Disposables];

    public bool Contains(IDisposable disposable) => Disposables.Contains(disposable);

    /// <summary>Gives a tensor to the scope around this one; without one it belongs to nobody.</summary>
    public T MoveToOuter<T>(T disposable) where T : IDisposable => MoveToOther(OuterScope, disposable);

    public (T1 first, T2 second) MoveToOuter<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOuter(first), MoveToOuter(second));

    public void MoveToOuter(params IDisposable[] disposables) => MoveToOther(OuterScope, (IEnumerable<IDisposable>)disposables);

    public void MoveToOuter(IEnumerable<IDisposable> disposables) => MoveToOther(OuterScope, disposables);

    public T MoveToOther<T>(DisposeScope? scope, T disposable) where T : IDisposable
    {
        MoveToOther(scope, (IEnumerable<IDisposable>)[disposable]);
        return disposable;
    }

    public (T1 first, T2 second) MoveToOther<T1, T2>(DisposeScope? scope, T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOther(scope, first), MoveToOther(scope, second));

    public void MoveToOther(DisposeScope? scope, params IDisposable[] disposables) => MoveToOther(scope, (IEnumerable<IDisposable>)disposables);

    public void MoveToOther(DisposeScope? scope, IEnumerable<IDisposable> disposables)
    {
        foreach (var disposable in disposables)
        {
            if (!Disposables.Remove(disposable)) continue;
            Owned(disposable).OwningDisposeScope = scope;
            scope?.Disposables.Add(disposable);
        }
    }

    /// <summary>Takes a tensor out of all scopes: its owner, or in the end its finalizer, frees it.</summary>
    public T Detach<T>(T disposable) where T : IDisposable
    {
        Detach((IEnumerable<IDisposable>)[disposable]);
        return disposable;
    }

    public (T1 first, T2 second) Detach<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (Detach(first), Detach(second));

    public void Detach(params IDisposable[] disposables) => Detach((IEnumerable<IDisposable>)disposables);

    public void Detach(IEnumerable<IDisposable> disposables)
    {
        foreach (var disposable in disposables)
        {
            if (!Disposables.Remove(disposable)) continue;
            Owned(disposable).OwningDisposeScope = null;
            Open.Tensors.DetachedFromScopeCount++;
        }
    }

    /// <summary>Takes a tensor over from the scope that has it, if any.</summary>
    public void Attach(IDisposable disposable) => Attach((IEnumerable<IDisposable>)[disposable]);

    public void Attach(params IDisposable[] disposables) => Attach((IEnumerable<IDisposable>)disposables);

    public IReadOnlyList<IDisposable> Attach(IEnumerable<IDisposable> disposables)
    {
        var attached = disposables.ToList();
        foreach (var disposable in attached)
        {
            var tensor = Owned(disposable);
            if (tensor.OwningDisposeScope == this) continue;
            tensor.OwningDisposeScope?.Disposables.Remove(tensor);
            tensor.OwningDisposeScope = this;
            Disposables.Add(tensor);
            Open.Tensors.AttachedToScopeCount++;
        }
        return attached;
    }

    public void DisposeEverything() => DisposeEverythingBut(Array.Empty<IDisposable>());

    public void DisposeEverythingBut(params IDisposable[] keep) => DisposeEverythingBut((IEnumerable<IDisposable>)keep);

    public T DisposeEverythingBut<T>(T keep) where T : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[keep]);
        return keep;
    }

    public (T1 first, T2 second) DisposeEverythingBut<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second]);
        return (first, second);
    }

    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        _ = Open;
        var all = Disposables;
        Disposables = new(inKeep, ReferenceEqualityComparer.Instance);
        foreach (var disposable in all)
            if (!Disposables.Contains(disposable)) disposable.Dispose();
    }

    public void MarkAsDisposed(IDisposable disposable)
    {
        Disposables.Remove(disposable);
        Owned(disposable).OwningDisposeScope = null;
    }

    public void Dispose()
    {
        if (manager is null) return;
        DisposeEverything();
        manager.Remove(this);
        manager = null;
    }

    private DisposeScopeManager Open => manager ?? throw new ObjectDisposedException(nameof(DisposeScope));

    private static Tensor Owned(IDisposable disposable) =>
        disposable as Tensor ?? throw new InvalidOperationException("DisposeScope can only manage tensors");
}

public static partial class torch
{
    /// <summary>Starts a scope on this thread; dispose it to end it.</summary>
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.ThreadSingleton.New();

    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.ThreadSingleton.Current;

    /// <summary>Evaluates an expression in a scope of its own and keeps only its result.</summary>
    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using var scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }
}
