using TorchSharp;
using static TorchSharp.torch;

#pragma warning disable RS0030 // The one place that makes them.

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Arithmetic of tensors with numbers. The library wraps a number for native code in a <see cref="Scalar"/>, and a garbage collection on
/// another thread may free that object while the native call still reads it; here every <see cref="Scalar"/> lives as long as its call.
/// Numbers that the library's members hide are covered too: <c>a + b</c> is a + 1·b, <c>square()</c> is a power of 2.
/// <c>BannedSymbols.txt</c> bans the unsafe members; <c>docs/upstream.md</c> has the details.
/// </summary>
public static class TensorArithmetic
{
    private static readonly Scalar One = 1.ToScalar();
    private static readonly Scalar Two = 2.ToScalar();

    /// <summary>Adds two tensors.</summary>
    public static Tensor Plus(this Tensor tensor, Tensor other) => tensor.add(other, One);

    /// <summary>Adds a number to each element.</summary>
    public static Tensor Plus(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.add(scalar, One);
    }

    /// <summary>Multiplies each element by a number.</summary>
    public static Tensor Times(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.mul(scalar);
    }

    /// <summary>Divides each element by a number.</summary>
    public static Tensor Over(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.div(scalar);
    }

    /// <summary>Squares each element.</summary>
    public static Tensor Squared(this Tensor tensor) => tensor.pow(Two);

    /// <summary>Clamps each element from below: max(element, number).</summary>
    public static Tensor AtLeast(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.clamp_min(scalar);
    }

    /// <summary>Compares each element: true where it is less than the number.</summary>
    public static Tensor IsBelow(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.lt(scalar);
    }

    /// <summary>Compares each element: true where it equals the number.</summary>
    public static Tensor Is(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.eq(scalar);
    }

    /// <summary>Replaces the elements by a number where the mask is true.</summary>
    public static Tensor Masked(this Tensor tensor, Tensor mask, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.masked_fill(mask, scalar);
    }

    /// <summary>Sets every element to a number, in place.</summary>
    public static Tensor SetTo(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.fill_(scalar);
    }

    /// <summary>Adds another tensor, in place.</summary>
    public static Tensor Add(this Tensor tensor, Tensor other) => tensor.add_(other, One);

    /// <summary>Adds <paramref name="factor"/> times another tensor, in place.</summary>
    public static Tensor Add(this Tensor tensor, Tensor other, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.add_(other, scalar);
    }

    /// <summary>Adds a number, in place.</summary>
    public static Tensor Add(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.add_(scalar, One);
    }

    /// <summary>Adds <paramref name="factor"/> · left · right, element by element, in place.</summary>
    public static Tensor AddProduct(this Tensor tensor, Tensor left, Tensor right, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.addcmul_(left, right, scalar);
    }

    /// <summary>Adds <paramref name="factor"/> · dividend / divisor, element by element, in place.</summary>
    public static Tensor AddQuotient(this Tensor tensor, Tensor dividend, Tensor divisor, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.addcdiv_(dividend, divisor, scalar);
    }

    /// <summary>Multiplies by a number, in place.</summary>
    public static Tensor Multiply(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.mul_(scalar);
    }

    /// <summary>Divides by a number, in place.</summary>
    public static Tensor Divide(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.div_(scalar);
    }

    /// <summary>Replaces each element by its remainder modulo a number, in place.</summary>
    public static Tensor Reduce(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.remainder_(scalar);
    }
}
