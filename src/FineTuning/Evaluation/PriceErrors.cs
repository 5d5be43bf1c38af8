namespace FunctionsPipeline.FineTuning;

/// <summary>Errors of answered prices; every figure is null when there is no price.</summary>
internal sealed class PriceErrors(IReadOnlyList<(double Truth, double Answered)> prices)
{
    // Tolerance for binary fractions: 0.33 must count as 10 % off 0.3.
    private const double Rounding = 1 + 1e-9;

    private readonly IReadOnlyList<(double Truth, double Error)> _errors =
        [.. prices.Select(price => (price.Truth, Math.Abs(price.Answered - price.Truth)))];

    public double? Median => Baselines.Median([.. _errors.Select(e => e.Error)]);

    public double? Mean => _errors.Count == 0 ? null : _errors.Average(e => e.Error);

    /// <summary>Median of 100 · |answered - true| / true, in percent; prices of 0 are left out.</summary>
    public double? MedianPercent => Baselines.Median([.. _errors.Where(e => e.Truth > 0).Select(e => 100 * e.Error / e.Truth)]);

    public double? WithinTenPercent =>
        _errors.Count == 0 ? null : (double)_errors.Count(e => e.Error <= 0.1 * e.Truth * Rounding) / _errors.Count;
}
