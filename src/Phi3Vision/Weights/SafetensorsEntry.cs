namespace FunctionsPipeline.Phi3Vision;

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Dtype">As written in the file, such as <c>BF16</c>.</param>
/// <param name="Shape">Sides, outermost first; none for a scalar.</param>
/// <param name="Offset">First byte in the file.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record SafetensorsEntry(string Name, string Dtype, IReadOnlyList<long> Shape, long Offset, long Bytes);
