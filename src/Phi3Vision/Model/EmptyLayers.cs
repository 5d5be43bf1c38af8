using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Creates layers with uninitialised weights of the right type and device. The library's own constructors draw random weights first: for a
/// full-size model, billions of numbers that the checkpoint then overwrites.
/// </summary>
internal static class EmptyLayers
{
    /// <param name="inputs">Width of the input.</param>
    /// <param name="outputs">Width of the output.</param>
    /// <param name="hasBias">True when the layer adds a bias.</param>
    public static Linear Linear(long inputs, long outputs, bool hasBias, Device device, ScalarType dtype) =>
        nn.Linear(Empty([outputs, inputs], device, dtype), hasBias ? Empty([outputs], device, dtype) : null);

    /// <param name="rows">Number of embeddings.</param>
    /// <param name="width">Width of each.</param>
    /// <param name="padding">Row that gets no gradient; null for none.</param>
    public static EmbeddingTable Embedding(long rows, long width, long? padding, Device device, ScalarType dtype) =>
        new(Empty([rows, width], device, dtype), padding);

    private static Parameter Empty(long[] shape, Device device, ScalarType dtype) => new(empty(shape, dtype: dtype, device: device));
}
