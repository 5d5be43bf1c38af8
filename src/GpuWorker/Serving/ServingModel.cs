using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>A loaded model, freed when it serves no more and its last lease has ended. Thread-safe.</summary>
/// <param name="predictor">Predictor of the model, owned from here on.</param>
/// <param name="folder">Folder that it was loaded from.</param>
/// <param name="published">The document that names it.</param>
internal sealed class ServingModel(Predictor predictor, string folder, CurrentModel published)
{
    private readonly TaskCompletionSource _freed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // One for the owner.
    private int _users = 1;

    public Predictor Predictor => predictor;

    public string Folder => folder;

    /// <summary>The document that names the model, which is written anew when the model is activated again.</summary>
    public CurrentModel Published { get; set; } = published;

    /// <summary>Ends when the model has been freed.</summary>
    public Task Freed => _freed.Task;

    /// <summary>Starts a use, before the owner's <see cref="Release"/>.</summary>
    public ModelLease Lease()
    {
        Interlocked.Increment(ref _users);
        return new ModelLease(this);
    }

    /// <summary>Ends a use, or the owner's.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        predictor.Dispose();
        _freed.SetResult();
    }
}

/// <summary>One request's use of a model.</summary>
internal sealed class ModelLease(ServingModel model) : IDisposable
{
    public Predictor Predictor => model.Predictor;

    public CurrentModel Published => model.Published;

    /// <summary>Ends the use; must be called once.</summary>
    public void Dispose() => model.Release();
}
