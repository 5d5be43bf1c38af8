namespace FunctionsPipeline.Phi3Vision;

/// <summary>Which weight is part of what.</summary>
public static class ModelParts
{
    /// <summary>The part of every weight, by the weight's name.</summary>
    /// <param name="config">A valid configuration.</param>
    public static IReadOnlyDictionary<string, ModelPart> Of(Phi3VisionConfig config) =>
        WeightLayout.Of(config).ToDictionary(weight => weight.Name, weight => weight.Part, StringComparer.Ordinal);
}
