namespace FunctionsPipeline.Phi3Vision;

/// <summary>Assigns weights to parts of the model.</summary>
public static class ModelParts
{
    /// <summary>Maps the name of every weight to its part.</summary>
    /// <param name="config">A valid configuration.</param>
    public static IReadOnlyDictionary<string, ModelPart> Of(Phi3VisionConfig config) =>
        WeightLayout.Of(config).ToDictionary(weight => weight.Name, weight => weight.Part, StringComparer.Ordinal);
}
