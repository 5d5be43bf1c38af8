namespace FunctionsPipeline.Phi3Vision;

/// <summary>Name, shape and use of a weight that a configuration requires.</summary>
/// <param name="Name">Name in the published checkpoint.</param>
/// <param name="Shape">Dimensions, outputs before inputs.</param>
/// <param name="Part">Part of the model that the weight belongs to.</param>
/// <param name="Role">Use of the weight in the computation.</param>
internal sealed record WeightSpec(string Name, IReadOnlyList<long> Shape, ModelPart Part, WeightRole Role)
{
    /// <summary>Number of values.</summary>
    /// <exception cref="OverflowException">The product of the dimensions exceeds 64 bits.</exception>
    public long Count => Shape.Aggregate(1L, (product, side) => checked(product * side));
}

/// <summary>Use of a weight in the computation, which decides how a random one is drawn.</summary>
internal enum WeightRole
{
    /// <summary>Multiplies inputs; [outputs, inputs].</summary>
    Matrix,

    /// <summary>Shifts outputs.</summary>
    Bias,

    /// <summary>Scales normalised values.</summary>
    Gain,

    /// <summary>Holds vectors that are looked up or inserted unchanged.</summary>
    Embedding,
}
