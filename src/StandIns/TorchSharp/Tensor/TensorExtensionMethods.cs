namespace TorchSharp;

/// <summary>Reading one element, and shapes.</summary>
public static class TensorExtensionMethods
{
    public static float ToSingle(this torch.Tensor value) => (float)Element(value).ToDouble();
    public static double ToDouble(this torch.Tensor value) => Element(value).ToDouble();
    public static Half ToHalf(this torch.Tensor value) => (Half)Element(value).ToDouble();
    public static sbyte ToSByte(this torch.Tensor value) => Element(value).ToSByte();
    public static byte ToByte(this torch.Tensor value) => Element(value).ToByte();
    public static short ToInt16(this torch.Tensor value) => Element(value).ToInt16();
    public static int ToInt32(this torch.Tensor value) => Element(value).ToInt32();
    public static long ToInt64(this torch.Tensor value) => Element(value).ToInt64();
    public static bool ToBoolean(this torch.Tensor value) => Element(value).ToBoolean();

    /// <summary>Makes a parameter of a tensor, which becomes empty.</summary>
    public static Modules.Parameter AsParameter(this torch.Tensor tensor) => new(tensor);

    public static long TotalSize(this IEnumerable<long> shape) => shape.Aggregate(1L, (product, size) => product * size);

    public static int ElementSize(this torch.ScalarType type) => type switch
    {
        torch.ScalarType.Byte or torch.ScalarType.Int8 or torch.ScalarType.Bool => 1,
        torch.ScalarType.Int16 or torch.ScalarType.Float16 or torch.ScalarType.BFloat16 => 2,
        torch.ScalarType.Int32 or torch.ScalarType.Float32 => 4,
        torch.ScalarType.Int64 or torch.ScalarType.Float64 or torch.ScalarType.ComplexFloat32 => 8,
        torch.ScalarType.ComplexFloat64 => 16,
        _ => throw new NotImplementedException(),
    };

    private static Scalar Element(torch.Tensor value) =>
        value.NumberOfElements == 1 ? value.ToScalar() : throw new ArgumentException("Number of elements in the tensor must be 1");
}
