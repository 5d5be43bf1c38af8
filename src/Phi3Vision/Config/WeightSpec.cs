namespace FunctionsPipeline.Phi3Vision;

/// <summary>A weight that a configuration asks for.</summary>
/// <param name="Name">As in the published checkpoint.</param>
/// <param name="Shape">Sides, outputs before inputs.</param>
/// <param name="Part">What it is part of.</param>
/// <param name="Role">What it does.</param>
internal sealed record WeightSpec(string Name, IReadOnlyList<long> Shape, ModelPart Part, WeightRole Role)
{
    /// <summary>Number of values.</summary>
    /// <exception cref="OverflowException">There is no such tensor.</exception>
    public long Count => Shape.Aggregate(1L, (product, side) => checked(product * side));
}

/// <summary>What a weight does, which says how a random one is drawn.</summary>
internal enum WeightRole
{
    /// <summary>Multiplies inputs: outputs by inputs.</summary>
    Matrix,

    /// <summary>Is added to outputs.</summary>
    Bias,

    /// <summary>Scales normalised values.</summary>
    Gain,

    /// <summary>Is looked up or inserted as it is.</summary>
    Embedding,
}
