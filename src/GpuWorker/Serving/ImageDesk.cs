namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Holds as many images as memory is meant for, and decodes as many at a time as cores are.</summary>
internal sealed class ImageDesk(ServingOptions options)
{
    // A batch that is computed, and one that is made ready meanwhile.
    private readonly SemaphoreSlim _images = new(2 * options.Batch);

    // Large images take hundreds of megabytes while they are decoded, and computing needs cores too.
    private readonly SemaphoreSlim _decoders = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Waits for room for an image, which is left when the result is disposed, once.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken cancellationToken)
    {
        await _images.WaitAsync(cancellationToken);
        return new Room(_images);
    }

    /// <summary>Decodes an image for a model, as <see cref="Predictor.Prepare"/> does.</summary>
    public async Task<PreparedImage> PrepareAsync(
        ModelLease model, ReadOnlyMemory<byte> bytes, string? question, CancellationToken cancellationToken)
    {
        await _decoders.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(() => model.Predictor.Prepare(bytes, question), cancellationToken);
        }
        finally
        {
            _decoders.Release();
        }
    }

    private sealed class Room(SemaphoreSlim images) : IDisposable
    {
        public void Dispose() => images.Release();
    }
}
