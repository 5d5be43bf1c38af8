using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Layers whose weights are memory of the right type and device with nothing in it. The library's own constructors draw random weights first, for a
/// full-size model billions of numbers that the checkpoint then overwrites.
/// </summary>
internal static class EmptyLayers
{
    /// <param name="inputs">Width of the input.</param>
    /// <param name="outputs">Width of the output.</param>
    /// <param name="hasBias">Whether it adds one.</param>
    public static Linear Linear(long inputs, long outputs, bool hasBias, Device device, ScalarType dtype) =>
        nn.Linear(Empty([outputs, inputs], device, dtype), hasBias ? Empty([outputs], device, dtype) : null);

    /// <param name="rows">Number of embeddings.</param>
    /// <param name="width">Width of each.</param>
    /// <param name="padding">The row that gets no gradient.</param>
    public static EmbeddingTable Embedding(long rows, long width, long? padding, Device device, ScalarType dtype) =>
        new(Empty([rows, width], device, dtype), padding);

    private static Parameter Empty(long[] shape, Device device, ScalarType dtype) => new(empty(shape, dtype: dtype, device: device));
}
