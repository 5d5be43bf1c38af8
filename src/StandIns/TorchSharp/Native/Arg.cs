namespace TorchSharp;

internal enum Tag
{
    None, Tensor, Int, Double, Bool, IntList, DoubleList, TensorList, String, Generator, Device,
}

/// <summary>An argument or a result as torch_standin.cpp lays it out.</summary>
internal struct NativeValue
{
    public Tag Tag;
    public int Count;
    public long Bits;
}

/// <summary>An argument of an operator. What .NET code passes to an operator converts to it implicitly; null becomes None.</summary>
internal readonly struct Arg
{
    internal readonly Tag Tag;
    internal readonly long Bits;
    internal readonly object? Object;

    private Arg(Tag tag, long bits, object? value = null) => (Tag, Bits, Object) = (tag, bits, value);

    public static implicit operator Arg(torch.Tensor? value) => value is null ? default : new(Tag.Tensor, 0, value);
    public static implicit operator Arg(torch.Tensor?[]? value) => value is null ? default : new(Tag.TensorList, 0, value);
    public static implicit operator Arg(long value) => new(Tag.Int, value);
    public static implicit operator Arg(long? value) => value is long v ? v : default(Arg);
    public static implicit operator Arg(double value) => new(Tag.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Arg(double? value) => value is double v ? v : default(Arg);
    public static implicit operator Arg(bool value) => new(Tag.Bool, value ? 1 : 0);
    public static implicit operator Arg(bool? value) => value is bool v ? v : default(Arg);
    public static implicit operator Arg(long[]? value) => value is null ? default : new(Tag.IntList, 0, value);
    public static implicit operator Arg(ReadOnlySpan<long> value) => new(Tag.IntList, 0, value.ToArray());
    public static implicit operator Arg(double[]? value) => value is null ? default : new(Tag.DoubleList, 0, value);
    public static implicit operator Arg(string? value) => value is null ? default : new(Tag.String, 0, value);
    public static implicit operator Arg(torch.ScalarType value) => new(Tag.Int, (long)value);
    public static implicit operator Arg(torch.ScalarType? value) => value is { } v ? v : default(Arg);
    public static implicit operator Arg(torch.Device? value) => value is null ? default : new(Tag.Device, (long)value.type, value);
    public static implicit operator Arg(torch.Generator? value) => value is null ? default : new(Tag.Generator, value.Handle, value);
    public static implicit operator Arg(Scalar? value) => value is null ? default : value.Arg;
}
