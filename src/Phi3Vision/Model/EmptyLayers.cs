using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

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

/// <summary>
/// Embedding lookup by id. Replaces the library's own <c>Embedding</c>, which registers another parameter than the one that it reads (see
/// <c>docs/upstream.md</c>).
/// </summary>
internal sealed class EmbeddingTable : nn.Module<Tensor, Tensor>
{
    internal readonly Parameter weight;
    private readonly long? _padding;

    /// <param name="weight">[V, H].</param>
    /// <param name="padding">Id whose vector gets no gradient; null for none.</param>
    public EmbeddingTable(Parameter weight, long? padding) : base(nameof(EmbeddingTable))
    {
        _padding = padding;
        this.weight = weight;
        RegisterComponents();
    }

    /// <param name="input">Ids, I64 […], each the index of a row of the table.</param>
    /// <returns>[…, H].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var vectors = weight.index_select(0, input.flatten()).view([.. input.shape, weight.shape[1]]);
        // The same values, detached at the padding id: its row of the table gets no gradient.
        if (_padding is { } padding && vectors.requires_grad)
            vectors = torch.where(input.Is(padding).unsqueeze(-1), vectors.detach(), vectors);
        return vectors.MoveToOuterDisposeScope();
    }
}
