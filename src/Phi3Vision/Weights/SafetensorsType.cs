using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Element types of the safetensors format (https://github.com/huggingface/safetensors) and the subset that is read and written here.
/// </summary>
internal static class SafetensorsType
{
    /// <summary>Returns the bytes of an element; null for an unknown type or one with several elements per byte.</summary>
    public static int? Size(string dtype) => dtype switch
    {
        "F64" or "I64" or "U64" or "C64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" => 1,
        _ => null,
    };

    /// <summary>True when weights may have the type.</summary>
    public static bool IsWeight(string dtype) => dtype is "F32" or "F16" or "BF16";

    /// <summary>Converts a safetensors type to the library's.</summary>
    /// <exception cref="InvalidDataException">The type is not supported.</exception>
    public static ScalarType Parse(string dtype) => dtype switch
    {
        "F32" => ScalarType.Float32,
        "F16" => ScalarType.Float16,
        "BF16" => ScalarType.BFloat16,
        "I64" => ScalarType.Int64,
        _ => throw new InvalidDataException($"Tensors of type {dtype} are not read; F32, F16, BF16 and I64 are."),
    };

    /// <summary>Converts the library's type to its safetensors name.</summary>
    /// <exception cref="ArgumentException">The type is not supported.</exception>
    public static string Name(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => "F32",
        ScalarType.Float16 => "F16",
        ScalarType.BFloat16 => "BF16",
        ScalarType.Int64 => "I64",
        _ => throw new ArgumentException($"Tensors of type {dtype} are not written; F32, F16, BF16 and I64 are.", nameof(dtype)),
    };
}
