using System.Globalization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Sweeps;

/// <summary>A validation of a run.</summary>
/// <param name="Epoch">Passes over the training split, by which runs of different batch sizes and lengths are compared.</param>
public readonly record struct Validation(int Step, double Epoch, double Loss);

/// <summary>
/// The median stopping rule (Golovin et al. 2017, section 3.2.1, https://doi.org/10.1145/3097983.3098043), on the lowest loss so far in
/// place of the mean, as Optuna has it.
/// </summary>
internal static class MedianRule
{
    /// <summary>Judges a run by its validations so far.</summary>
    /// <param name="run">The run's validations in their order.</param>
    /// <param name="others">Validations of the sweep's other runs, each in their order.</param>
    /// <returns>The early end of the run; null when it continues.</returns>
    public static PrunedTraining? Judge(
        IReadOnlyList<Validation> run, IEnumerable<IReadOnlyList<Validation>> others, PruningSettings settings)
    {
        if (run.Count <= settings.AfterValidations) return null;
        var (step, epoch, _) = run[^1];
        // A run that ended earlier says nothing of this epoch.
        var losses = others.Where(other => other.Count > 0 && other[^1].Epoch >= epoch)
            .Select(other => Lowest(other.TakeWhile(validation => validation.Epoch <= epoch)))
            .OfType<double>().Order().ToList();
        if (losses.Count < settings.MinRuns) return null;
        var median = (losses[(losses.Count - 1) / 2] + losses[losses.Count / 2]) / 2;
        var lowest = run.Min(validation => validation.Loss);
        if (!(lowest > median)) return null;
        return new PrunedTraining(
            string.Create(CultureInfo.InvariantCulture,
                $"pruned at epoch {epoch:0.##}: its lowest validation loss {lowest:0.####} is above {median:0.####}, the median of "
                + $"{losses.Count} other runs"),
            step, lowest);
    }

    private static double? Lowest(IEnumerable<Validation> validations) =>
        validations.Select(validation => (double?)validation.Loss).Min();
}
