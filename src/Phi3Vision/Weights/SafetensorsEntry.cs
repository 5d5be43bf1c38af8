namespace FunctionsPipeline.Phi3Vision;

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Name">Name of the tensor.</param>
/// <param name="Dtype">Element type as written in the file, such as <c>BF16</c>.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Offset">Offset of the first byte in the file.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record SafetensorsEntry(string Name, string Dtype, IReadOnlyList<long> Shape, long Offset, long Bytes);
