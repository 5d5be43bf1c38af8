namespace FunctionsPipeline.Phi3Vision;

/// <summary>A model folder loaded into memory.</summary>
public sealed record LoadedModel(Phi3VisionModel Model, Phi3VisionConfig Config, Tokenizer Tokenizer) : IDisposable
{
    /// <summary>Frees the model's tensors.</summary>
    public void Dispose() => Model.Dispose();
}
