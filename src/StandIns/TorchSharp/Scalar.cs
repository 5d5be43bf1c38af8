using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>A number that an operator takes beside tensors. Held in .NET: nothing native to free.</summary>
public sealed class Scalar : IDisposable
{
    internal readonly Arg Arg;

    private Scalar(Arg arg, ScalarType type) => (Arg, Type) = (arg, type);

    /// <summary>The element type that the number came with.</summary>
    public ScalarType Type { get; }

    public static implicit operator Scalar(byte value) => new((long)value, ScalarType.Byte);
    public static implicit operator Scalar(sbyte value) => new((long)value, ScalarType.Int8);
    public static implicit operator Scalar(short value) => new((long)value, ScalarType.Int16);
    public static implicit operator Scalar(int value) => new((long)value, ScalarType.Int32);
    public static implicit operator Scalar(long value) => new(value, ScalarType.Int64);
    public static implicit operator Scalar(float value) => new((double)value, ScalarType.Float32);
    public static implicit operator Scalar(double value) => new(value, ScalarType.Float64);
    public static implicit operator Scalar(bool value) => new(value, ScalarType.Bool);
    public static implicit operator Scalar(Half value) => new((double)value, ScalarType.Float16);

    internal static Scalar BFloat16(float value) => new((double)value, ScalarType.BFloat16);

    public void Dispose() { }

    internal double AsDouble() => Arg.Tag == Tag.Double ? BitConverter.Int64BitsToDouble(Arg.Bits) : Arg.Bits;
    internal long AsInt64() => Arg.Tag == Tag.Double ? (long)BitConverter.Int64BitsToDouble(Arg.Bits) : Arg.Bits;
    internal bool AsBoolean() => Arg.Tag == Tag.Double ? BitConverter.Int64BitsToDouble(Arg.Bits) != 0 : Arg.Bits != 0;
}

/// <summary>Conversions between numbers and <see cref="Scalar"/>.</summary>
public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this byte value) => value;
    public static Scalar ToScalar(this sbyte value) => value;
    public static Scalar ToScalar(this short value) => value;
    public static Scalar ToScalar(this int value) => value;
    public static Scalar ToScalar(this long value) => value;
    public static Scalar ToScalar(this float value) => value;
    public static Scalar ToScalar(this double value) => value;
    public static Scalar ToScalar(this bool value) => value;
    public static Scalar ToScalar(this Half value) => value;
    public static Scalar ToBFloat16Scalar(this float value) => Scalar.BFloat16(value);

    public static bool ToBoolean(this Scalar value) => value.AsBoolean();
    public static byte ToByte(this Scalar value) => (byte)value.AsInt64();
    public static sbyte ToSByte(this Scalar value) => (sbyte)value.AsInt64();
    public static short ToInt16(this Scalar value) => (short)value.AsInt64();
    public static int ToInt32(this Scalar value) => (int)value.AsInt64();
    public static long ToInt64(this Scalar value) => value.AsInt64();
    public static float ToSingle(this Scalar value) => (float)value.AsDouble();
    public static double ToDouble(this Scalar value) => value.AsDouble();
    public static Half ToHalf(this Scalar value) => (Half)value.AsDouble();
}
