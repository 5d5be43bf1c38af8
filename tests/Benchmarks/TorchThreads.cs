using TorchSharp;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Sets how many threads torch computes with, until it is disposed.</summary>
internal sealed class TorchThreads : IDisposable
{
    private readonly int _before = torch.get_num_threads();

    public TorchThreads(int count) => torch.set_num_threads(count);

    /// <inheritdoc/>
    public void Dispose() => torch.set_num_threads(_before);
}
