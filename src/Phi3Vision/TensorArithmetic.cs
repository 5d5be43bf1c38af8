using TorchSharp;
using static TorchSharp.torch;

#pragma warning disable RS0030 // The one place that makes them.

namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Arithmetic of tensors with numbers. The library wraps a number for native code in a <see cref="Scalar"/>, and lets a collection on
/// another thread free it while the call still reads it: here every one lives as long as its call. That holds for numbers that its members
/// hide as well: <c>a + b</c> is a + 1·b, <c>square()</c> is a power of 2. <c>BannedSymbols.txt</c> bans what is not safe;
/// <c>docs/upstream.md</c> has the details.
/// </summary>
public static class TensorArithmetic
{
    private static readonly Scalar One = 1.ToScalar();
    private static readonly Scalar Two = 2.ToScalar();

    /// <summary>The sum of two tensors.</summary>
    public static Tensor Plus(this Tensor tensor, Tensor other) => tensor.add(other, One);

    /// <summary>The sum with a number.</summary>
    public static Tensor Plus(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.add(scalar, One);
    }

    /// <summary>The product with a number.</summary>
    public static Tensor Times(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.mul(scalar);
    }

    /// <summary>The quotient by a number.</summary>
    public static Tensor Over(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.div(scalar);
    }

    /// <summary>The square of each element.</summary>
    public static Tensor Squared(this Tensor tensor) => tensor.pow(Two);

    /// <summary>The elements, or a number where they are smaller.</summary>
    public static Tensor AtLeast(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.clamp_min(scalar);
    }

    /// <summary>Compares elements: true where one is smaller than the number.</summary>
    public static Tensor IsBelow(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.lt(scalar);
    }

    /// <summary>Compares elements: true where one equals the number.</summary>
    public static Tensor Is(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.eq(scalar);
    }

    /// <summary>The elements, or a number where the mask is true.</summary>
    public static Tensor Masked(this Tensor tensor, Tensor mask, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.masked_fill(mask, scalar);
    }

    /// <summary>Sets every element.</summary>
    public static Tensor SetTo(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.fill_(scalar);
    }

    /// <summary>Adds in place.</summary>
    public static Tensor Add(this Tensor tensor, Tensor other) => tensor.add_(other, One);

    /// <summary>Adds in place, <paramref name="factor"/> times another tensor.</summary>
    public static Tensor Add(this Tensor tensor, Tensor other, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.add_(other, scalar);
    }

    /// <summary>Adds a number in place.</summary>
    public static Tensor Add(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.add_(scalar, One);
    }

    /// <summary>Adds in place, <paramref name="factor"/> times a product.</summary>
    public static Tensor AddProduct(this Tensor tensor, Tensor left, Tensor right, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.addcmul_(left, right, scalar);
    }

    /// <summary>Adds in place, <paramref name="factor"/> times a quotient.</summary>
    public static Tensor AddQuotient(this Tensor tensor, Tensor dividend, Tensor divisor, double factor)
    {
        using var scalar = factor.ToScalar();
        return tensor.addcdiv_(dividend, divisor, scalar);
    }

    /// <summary>Multiplies in place.</summary>
    public static Tensor Multiply(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.mul_(scalar);
    }

    /// <summary>Divides in place.</summary>
    public static Tensor Divide(this Tensor tensor, double number)
    {
        using var scalar = number.ToScalar();
        return tensor.div_(scalar);
    }

    /// <summary>Leaves the remainder by a number, in place.</summary>
    public static Tensor Reduce(this Tensor tensor, long number)
    {
        using var scalar = number.ToScalar();
        return tensor.remainder_(scalar);
    }
}
