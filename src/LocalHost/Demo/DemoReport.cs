using System.Globalization;
using FunctionsPipeline.Contracts;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Prints the demo's measurements as tables and checks them against its promises.</summary>
/// <param name="faults">Faults that the hub injected on purpose; null when there were none.</param>
/// <param name="runFolder">Folder with copies of the run's gallery and TensorBoard files.</param>
/// <param name="ownTraining">
/// Training settings of a run on the user's own catalog; null for the sample datasets. The demo promises less of such a run.
/// </param>
public sealed class DemoReport(
    RunOutcome outcome,
    IReadOnlyList<MetricsLine> metrics,
    IReadOnlyList<(HeldOutImage Truth, PredictionDocument? Prediction)> uploads,
    FaultCheck? faults,
    string runFolder,
    TimeSpan elapsed,
    TrainingSettings? ownTraining = null)
{
    private const int MostCategories = 12;

    private EvaluationMetrics Base => outcome.Result.Base!;

    private EvaluationMetrics FineTuned => outcome.Result.FineTuned!;

    private EvaluationMetrics? Test => outcome.Result.Test;

    /// <summary>Prints the tables and the verdict.</summary>
    /// <returns>0 when every promise was kept, otherwise 1.</returns>
    public int Print(IAnsiConsole console)
    {
        console.WriteLine();
        console.Write(Rows());
        if (faults is not null) console.Write(Faults(faults));
        console.Write(Losses());
        console.Write(Metrics());
        if ((Test ?? FineTuned).Confusion is { Count: > 1 } confusion) console.Write(Categories(confusion));
        console.Write(Predictions());
        console.WriteLine($"answers to the same images at every validation: {Path.Combine(runFolder, "samples")}");
        console.WriteLine($"curves: tensorboard --logdir {Path.Combine(runFolder, "tensorboard")}");
        var result = outcome.Result;
        var seen = $"{result.Steps} steps, {result.TrainingSamples} samples seen";
        console.MarkupLineInterpolated(
            CultureInfo.InvariantCulture,
            $"model {result.Model}: {outcome.PublishDecision}; {seen}, {elapsed.TotalSeconds:0} s in all");
        var code = Promise.Print([.. Promises().Select(promise => new Promise(promise.What, promise.Holds, []))], console);
        if (ownTraining is not null && Advice(ownTraining) is { } advice) console.MarkupLineInterpolated($"[yellow]note[/] {advice}");
        return code;
    }

    private IEnumerable<(string What, bool Holds)> Promises()
    {
        var arrived = uploads.Count(upload => upload.Prediction is { Status: PredictionStatus.Predicted });
        var counts = outcome.Dataset.Counts;
        yield return ($"all {counts.Rows} rows are accounted for", counts.Rows == counts.Stored + counts.Duplicates + counts.Rejected);
        if (faults?.Mismatches.Count is { } mismatches)
            yield return ($"every row came to what the fault of its image should make of it ({mismatches} did not)", mismatches == 0);
        yield return ($"all {uploads.Count} predictions arrived ({arrived})", arrived == uploads.Count);
        var losses = Invariant($"({FineTuned.Loss:0.000} against {Base.Loss:0.000})");
        if (ownTraining is not null)
        {
            // How far it falls depends on the catalog's size, on the time, and on whether the images show what the labels say.
            yield return ($"validation loss under the base model's {losses}", FineTuned.Loss < Base.Loss);
            yield break;
        }
        yield return ($"validation loss under half of the base model's {losses}", FineTuned.Loss < Base.Loss / 2);
        if (FineTuned is { MedianPriceError: { } error, BaselineMedianPriceError: { } baseline })
        {
            yield return (
                Invariant($"category accuracy at least 0.7 ({FineTuned.CategoryAccuracy:0.00})"),
                FineTuned.CategoryAccuracy >= 0.7);
            yield return (
                Invariant($"median price error under half of the training median's ({error:0.##} against {baseline:0.##})"),
                error < baseline / 2);
        }
        else
        {
            // "Clearly" is a one-sided 95 % bound: 1.645 standard errors, sqrt(p (1 - p) / n), of the majority's accuracy p on n samples.
            var majority = FineTuned.MajorityCategoryAccuracy ?? 0;
            var margin = 1.645 * Math.Sqrt(majority * (1 - majority) / Math.Max(1, FineTuned.Generated));
            var against = Invariant($"{FineTuned.CategoryAccuracy:0.00} against {majority:0.00} + {margin:0.00}");
            yield return (
                $"category accuracy clearly over the majority class ({against})",
                FineTuned.CategoryAccuracy > majority + margin);
        }
    }

    // Time helps while validation loss falls. When it has stopped, the training samples are learned by heart.
    private string? Advice(TrainingSettings training)
    {
        var validations = metrics.Where(line => line.Validation is not null).ToList();
        if (validations.Count == 0) return null;
        var (best, last) = (validations.MinBy(line => line.Validation!.Loss)!, validations[^1]);
        var trained = Invariant($"{outcome.Dataset.Splits.GetValueOrDefault(Splits.Train)} samples, {last.Epoch:0.0} epochs");
        if (best.Step < last.Step)
        {
            return Invariant($"validation loss has not fallen since step {best.Step} of {last.Step} ({trained}): more rows (--rows), or a ")
                + "pretrained base model on a GPU, teach the model more than a longer training does";
        }
        var limit = last.Epoch >= training.Epochs ? Invariant($"\"epochs\" above {training.Epochs} in a file for --training")
            : outcome.Result.Steps >= training.MaxSteps ? Invariant($"\"maxSteps\" above {training.MaxSteps} in a file for --training")
            : Invariant($"--minutes above {training.MaxMinutes:0.##}");
        return $"validation loss was still falling when training ended ({trained}): {limit} lets the model learn more";
    }

    private Table Rows()
    {
        var counts = outcome.Dataset.Counts;
        var table = Table("Rows and images", "", "count");
        table.AddRow("rows", Text(counts.Rows)).AddRow("images stored", Text(counts.Stored)).AddRow("duplicates", Text(counts.Duplicates));
        foreach (var (reason, count) in counts.RejectedBy) table.AddRow($"rejected: {Markup.Escape(reason)}", Text(count));
        table.AddRow("seconds", Text(outcome.Dataset.Seconds, "0")).AddRow("MB of images", Text(counts.Bytes / 1e6, "0.0"));
        foreach (var (split, samples) in outcome.Dataset.Splits) table.AddRow($"{Markup.Escape(split)} samples", Text(samples));
        return table;
    }

    private static Table Faults(FaultCheck faults)
    {
        var table = Table("Faults that the hub injected", "kind", "paths", "what became of the rows there");
        foreach (var (kind, paths, outcomes) in faults.Summary) table.AddRow(Markup.Escape(kind), Text(paths), Markup.Escape(outcomes));
        return table;
    }

    private Table Losses()
    {
        var table = Table("Loss over time (nats per answer token)", "step", "epoch", "seconds", "training", "validation");
        double? training = null;
        foreach (var line in metrics)
        {
            training = line.Loss ?? training;
            if (line.Validation is { } validation)
                table.AddRow(Text(line.Step), Text(line.Epoch, "0.0"), Text(line.Seconds, "0"), Text(training), Text(validation.Loss));
        }
        return table;
    }

    private Table Metrics()
    {
        var table = Table(
            $"Validation split ({FineTuned.Samples} samples, {FineTuned.Generated} answers generated)",
            "", "base", "fine-tuned", "baseline");
        if (Test is not null) table.AddColumn($"fine-tuned, test split ({Test.Samples})");
        void Row(string name, Func<EvaluationMetrics, double?> value, double? baseline = null, string format = "0.00")
        {
            if (value(FineTuned) is null && baseline is null) return;
            string[] cells = [name, Text(value(Base), format), Text(value(FineTuned), format), Text(baseline, format)];
            table.AddRow(Test is null ? cells : [.. cells, Text(value(Test), format)]);
        }

        Row("loss", m => m.Loss, format: "0.000");
        Row("answers that parse", m => m.ParsedShare);
        Row("category accuracy (baseline: majority class)", m => m.CategoryAccuracy, FineTuned.MajorityCategoryAccuracy);
        Row("title exact match", m => m.TitleExactMatch);
        Row("title word F1", m => m.TitleF1);
        Row("median price error (baseline: training median)", m => m.MedianPriceError, FineTuned.BaselineMedianPriceError);
        Row("prices within 10 %", m => m.PriceWithinTenPercent, FineTuned.BaselinePriceWithinTenPercent);
        foreach (var (name, field) in FineTuned.Fields?.AsEnumerable() ?? [])
        {
            void Figure(string figure, Func<FieldFigures, double?> value) => Row(
                Markup.Escape($"{name} {figure}"),
                m => m.Fields?.GetValueOrDefault(name)?.Answered is { } answered ? value(answered) : null,
                field.Baseline is null ? null : value(field.Baseline));

            Figure(field.Kind == FieldKind.Category ? "accuracy" : "exact match", f => f.ExactMatch);
            Figure(field.Kind == FieldKind.List ? "item F1" : "word F1", f => f.F1);
            Figure($"median error{(field.Unit is null ? "" : $" ({field.Unit})")}", f => f.MedianError);
            Figure("within 10 %", f => f.WithinTenPercent);
        }
        return table;
    }

    private Table Categories(IReadOnlyList<ConfusionRow> confusion)
    {
        var split = Test is null ? Splits.Validation : Splits.Test;
        var shown = confusion.Count > MostCategories ? $", the {MostCategories} of {confusion.Count} with most mistakes" : "";
        var table = Table($"Categories of the {split} split{shown}", "category", "samples", "right", "taken for");
        var worst = confusion.OrderByDescending(row => Samples(row) - Right(row)).ThenBy(row => row.Truth, StringComparer.Ordinal);
        foreach (var row in worst.Take(MostCategories))
        {
            var wrong = row.Answered.Where(answer => answer.Key != row.Truth).OrderByDescending(answer => answer.Value)
                .Select(answer => $"{(answer.Key.Length == 0 ? "no category" : answer.Key)} {answer.Value}");
            table.AddRow(Markup.Escape(row.Truth), Text(Samples(row)), Text(Right(row)), Markup.Escape(string.Join(", ", wrong)));
        }
        return table;

        static int Samples(ConfusionRow row) => row.Answered.Values.Sum();
        static int Right(ConfusionRow row) => row.Answered.GetValueOrDefault(row.Truth);
    }

    private Table Predictions()
    {
        var table = Table(
            $"Images uploaded after training, {(ownTraining is null ? "in no split" : "not trained on")}", "image", "prediction", "truth");
        var columns = outcome.Dataset.Columns;
        var template = new AnswerTemplate(AnswerTemplate.DefaultFor(columns.Further), FieldDefinition.OfAnswers(columns));
        foreach (var (truth, prediction) in uploads)
        {
            var expected = template.Write(new Answer(truth.Title, truth.Category, truth.Price) { Fields = truth.Fields });
            var answer = prediction?.Answer ?? prediction?.Detail ?? "none arrived";
            var colour = answer == expected ? "green" : "yellow";
            table.AddRow(Markup.Escape(truth.File), $"[{colour}]{Markup.Escape(answer)}[/]", Markup.Escape(expected));
        }
        return table;
    }

    private static Table Table(string title, params string[] columns)
    {
        var table = new Table { Title = new TableTitle(title), Border = TableBorder.Rounded };
        foreach (var column in columns) table.AddColumn(column);
        return table;
    }

    private static string Text(double? value, string format = "0.000") => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>Fault that the sample hub injected: an entry of <c>GET /faults</c>.</summary>
/// <param name="Kind">Kind of the fault, such as <c>status-404</c>.</param>
/// <param name="Path">URL path whose responses were affected.</param>
/// <param name="Count">Number of affected responses.</param>
public sealed record InjectedFault(string Kind, string Path, int Count);

/// <summary>Compares the faults that the sample hub injected with the row statuses that they should cause.</summary>
/// <param name="faults">All injected faults.</param>
/// <param name="rows">All rows of the dataset.</param>
public sealed class FaultCheck(IReadOnlyList<InjectedFault> faults, IReadOnlyList<ManifestRow> rows)
{
    private static readonly string[] Failures = [Rejection.DownloadFailed, Rejection.Timeout];

    // Row status to expect per kind: transient faults must leave no trace, permanent ones must be rejected with their own reason.
    private static readonly Dictionary<string, Func<ManifestRow, bool>> Expected = new()
    {
        ["status-404"] = row => row.Reason == Rejection.NotFound,
        ["status-503"] = row => !Failures.Contains(row.Reason),
        ["stall"] = row => row.Reason == Rejection.Timeout,
        ["corrupt"] = row => row.Reason is Rejection.Corrupt or Rejection.Truncated or Rejection.NotAnImage,
        ["cut"] = row => !Failures.Contains(row.Reason),
    };

    private readonly ILookup<string, ManifestRow> _byPath = rows
        .Where(row => row.ImageUrl?.StartsWith("http", StringComparison.Ordinal) == true)
        .ToLookup(row => new Uri(row.ImageUrl!).AbsolutePath);

    /// <summary>Number of paths per kind, with the statuses of the rows whose images have those paths.</summary>
    public IEnumerable<(string Kind, int Paths, string Outcomes)> Summary => faults.GroupBy(fault => fault.Kind).Select(kind => (
        kind.Key,
        kind.Count(),
        string.Join(", ", kind.SelectMany(fault => _byPath[fault.Path])
            .CountBy(row => row.Reason ?? "stored").OrderByDescending(outcome => outcome.Value)
            .Select(outcome => FormattableString.Invariant($"{outcome.Key} {outcome.Value}")))));

    /// <summary>Rows whose status does not match the fault of their image.</summary>
    public IReadOnlyList<ManifestRow> Mismatches =>
        [.. faults.SelectMany(fault => _byPath[fault.Path].Where(row => !Expected[fault.Kind](row)))];
}
