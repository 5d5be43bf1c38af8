namespace FunctionsPipeline.Phi3Vision;

/// <summary>Quantiles of the standard normal distribution.</summary>
internal static class NormalDistribution
{
    private const double Tail = 0.02425;

    private static readonly double[] MiddleAbove =
    [
        -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
    ];

    private static readonly double[] MiddleBelow =
    [
        -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1,
    ];

    private static readonly double[] TailAbove =
    [
        -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783,
    ];

    private static readonly double[] TailBelow = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];

    /// <summary>
    /// Computes the value below which a share of the distribution lies, by Acklam's rational approximation ("An algorithm for computing the
    /// inverse normal cumulative distribution function", 2003), relative error below 1.2e-9.
    /// </summary>
    /// <param name="share">Above 0 and below 1.</param>
    public static double Quantile(double share)
    {
        if (share < Tail) return InTail(share);
        if (share > 1 - Tail) return -InTail(1 - share);
        var q = share - 0.5;
        return q * Polynomial(MiddleAbove, q * q) / Polynomial(MiddleBelow, q * q);
    }

    private static double InTail(double share)
    {
        var q = Math.Sqrt(-2 * Math.Log(share));
        return Polynomial(TailAbove, q) / Polynomial(TailBelow, q);
    }

    /// <summary>Evaluates a polynomial by Horner's rule; the coefficient of the highest power comes first.</summary>
    private static double Polynomial(double[] coefficients, double x) => coefficients.Aggregate((sum, coefficient) => sum * x + coefficient);
}
