using System.Globalization;
using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;

namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>
/// README.md of a fine-tuned model: a Hugging Face model card (https://huggingface.co/docs/hub/model-cards) with the measured figures.
/// </summary>
public static class ModelCard
{
    private const string FileName = "README.md";
    private const int MostCategories = 20;

    /// <summary>Writes the card of a successful run.</summary>
    /// <param name="folder">Folder of the model, with all its other files.</param>
    public static void Write(string folder, TrainingJob job, TrainingResult result)
    {
        var text = $"""
            {ModelCardHeader.Of(job, result)}
            # {job.OutputModel}

            Reads product images: a fine-tuned [Phi-3-Vision](https://huggingface.co/microsoft/Phi-3-vision-128k-instruct),
            from the base model `{job.BaseModel}`, trained by the run `{job.Run}`.{Adapter(job)}

            ## How to ask it

            ```
            {new PromptTemplate(job.Settings.PromptTemplate).Ask(job.Settings.Question).TrimEnd()}
            ```

            It answers in the form `{job.Settings.AnswerTemplate}`; images are cut into at most {job.Settings.NumCrops} crops of 336×336.

            {Fields(job)}

            ```sh
            ./pipeline worker predict --model DIR image.jpg
            ```

            ## Data

            {Data(job, result)}

            ## Figures

            {Figures(result)}
            {Confusion(result)}
            ## Training

            {Duration(result)}{BestStep(result)} Settings in bold differ from their defaults.

            {Settings(job.Settings)}

            """;
        File.WriteAllText(Path.Combine(folder, FileName), text);
    }

    private static string Fields(TrainingJob job)
    {
        var rows = new AnswerTemplate(job.Settings.AnswerTemplate, job.Fields).Parts.Select(part => part.Field)
            .Select(field => $"| {field.Name} | {field.Kind.ToString().ToLowerInvariant()} | {Markdown.Cell(field.Unit ?? "")} |");
        return $"| field | kind | unit |\n| --- | --- | --- |\n{string.Join('\n', rows)}";
    }

    private static string Data(TrainingJob job, TrainingResult result)
    {
        var splits = job.Shards.GroupBy(shard => shard.Split).Select(split => $"| {split.Key} | {split.Sum(shard => shard.Samples)} |");
        var dropped = result.DroppedSamples > 0 ? $"\n\n{result.DroppedSamples} samples were left out as too long." : "";
        var name = job.Dataset is { } dataset ? $"`{dataset}`" : "A dataset without a name.";
        return $"{name}\n\n| split | samples |\n| --- | ---: |\n{string.Join('\n', splits)}{dropped}";
    }

    private static string Figures(TrainingResult result)
    {
        var (before, after, test) = (result.Base, result.FineTuned, result.Test);
        var table = new StringBuilder("| | base | fine-tuned | baseline | fine-tuned, test split |\n| --- | ---: | ---: | ---: | ---: |\n");
        foreach (var metric in ModelCardMetric.All(after ?? test))
        {
            string?[] cells = [metric.Of(before), metric.Of(after), metric.BaselineOf(after), metric.Of(test)];
            if (cells.Any(cell => cell is not null)) table.Append($"| {metric.Name} | {string.Join(" | ", cells)} |\n");
        }
        var measured = after is null
            ? ""
            : $"Validation split: {after.Samples} samples, {after.Generated} of them with generated answers. ";
        return $"""
            {measured}{(test is null ? "There is no test split." : $"Test split, which nothing was chosen by: {test.Samples} samples.")}
            The baseline always answers the training split's most frequent category or list, and its median number.

            {table}
            """;
    }

    private static string Confusion(TrainingResult result)
    {
        var measured = result.Test ?? result.FineTuned;
        var split = result.Test is null ? Splits.Validation : Splits.Test;
        var text = new StringBuilder();
        foreach (var (field, rows) in measured?.Confusions() ?? [])
        {
            if (rows.Count < 2) continue;
            text.Append($"## Confusion{(field == FieldDefinition.Category ? "" : $" of {field}")}\n\n");
            text.Append($"What was answered to samples of each {field}, {split} split");
            text.Append(rows.Count > MostCategories ? $"; the {MostCategories} most frequent of {rows.Count}.\n\n" : ".\n\n");
            text.Append($"| {field} | samples | right | wrong answers |\n| --- | ---: | ---: | --- |\n");
            foreach (var row in rows.OrderByDescending(row => row.Answered.Values.Sum()).Take(MostCategories))
            {
                var wrong = row.Answered.Where(a => a.Key != row.Truth).OrderByDescending(a => a.Value)
                    .Select(a => $"{(a.Key.Length == 0 ? "none" : Markdown.Cell(a.Key))} {a.Value}");
                text.Append($"| {Markdown.Cell(row.Truth)} | {row.Answered.Values.Sum()} | {row.Answered.GetValueOrDefault(row.Truth)} ");
                text.Append($"| {string.Join(", ", wrong)} |\n");
            }
            text.Append('\n');
        }
        return text.ToString();
    }

    private static string Settings(TrainingSettings settings)
    {
        var defaults = FlatSettings.Of(new TrainingSettings()).ToDictionary(setting => setting.Name, setting => setting.Value);
        var rows = FlatSettings.Of(settings).Select(setting => setting.Value == defaults[setting.Name]
            ? $"| {setting.Name} | {Markdown.Cell(setting.Value)} |" : $"| **{setting.Name}** | **{Markdown.Cell(setting.Value)}** |");
        return $"| setting | value |\n| --- | --- |\n{string.Join('\n', rows)}";
    }

    private static string Duration(TrainingResult result) => string.Create(
        CultureInfo.InvariantCulture, $"{result.Steps} steps, {result.TrainingSamples} samples seen, {result.Seconds:0} seconds.");

    private static string BestStep(TrainingResult result) =>
        result.BestStep is { } best ? $" The model is that after step {best}, which had the lowest validation loss." : "";

    private static string Adapter(TrainingJob job) => job.Settings.Method == FineTuningMethod.Lora
        ? " The low-rank adapters are merged into its weights; "
            + $"the folder `{TrainedModel.AdapterFolder}` holds them by themselves, for PEFT."
        : "";
}

/// <summary>YAML header of a model card, which the Hub indexes: https://github.com/huggingface/hub-docs/blob/main/modelcard.md.</summary>
internal static class ModelCardHeader
{
    private const string Task = "image-text-to-text";

    public static string Of(TrainingJob job, TrainingResult result)
    {
        var yaml = new StringBuilder("---\n");
        var (dataset, revision) = Split(job.Dataset);
        // The Hub rejects a card that names a repository in any form but owner/name.
        if (BlobNames.HubRepo(job.BaseModel) is { } baseModel)
            yaml.Append($"base_model: {Quoted(baseModel)}\nbase_model_relation: finetune\n");
        if (dataset is not null) yaml.Append($"datasets:\n- {Quoted(dataset)}\n");
        yaml.Append($"library_name: transformers\npipeline_tag: {Task}\n");
        yaml.Append("tags:\n- phi3_v\n- vision\n- product-catalog\n- torchsharp\n");
        if (job.Settings.Method == FineTuningMethod.Lora) yaml.Append("- lora\n");
        if ((result.Test ?? result.FineTuned) is { } measured)
        {
            yaml.Append($"model-index:\n- name: {Quoted(job.OutputModel)}\n  results:\n  - task:\n      type: {Task}\n");
            // The Hub's model-index requires type and name, also of a dataset that is not on the Hub.
            yaml.Append($"    dataset:\n      type: {Quoted(dataset ?? job.Run)}\n      name: {Quoted(dataset ?? job.Run)}\n");
            yaml.Append($"      split: {(result.Test is null ? Splits.Validation : Splits.Test)}\n");
            if (revision is not null) yaml.Append($"      revision: {Quoted(revision)}\n");
            yaml.Append("    metrics:\n");
            foreach (var metric in ModelCardMetric.All(measured))
            {
                if (metric.Value(measured) is not { } value) continue;
                yaml.Append($"    - type: {metric.Type}\n      name: {Quoted(metric.Name)}\n");
                yaml.Append($"      value: {value.ToString("0.######", CultureInfo.InvariantCulture)}\n");
            }
        }
        return yaml.Append("---").ToString();
    }

    private static (string? Repo, string? Revision) Split(string? text) =>
        text?.Split('@', 2) is [var repo, .. var revision] ? (repo, revision.FirstOrDefault()) : (null, null);

    // Every JSON string is a valid YAML string.
    private static string Quoted(string text) => JsonSerializer.Serialize(text, PipelineJson.Compact);
}

/// <summary>Metric of an evaluation, as the tables and the header of a model card name it.</summary>
/// <param name="Name">Name of the metric in tables.</param>
/// <param name="Type">Name of the metric among Hugging Face's metrics, or a name of its own where there is none.</param>
/// <param name="Format">Number format.</param>
internal sealed record ModelCardMetric(
    string Name, string Type, string Format, Func<EvaluationMetrics, double?> Value, Func<EvaluationMetrics, double?>? Baseline = null)
{
    /// <summary>Lists the metrics, the most informative first.</summary>
    /// <param name="measured">An evaluation of the model, which has the further fields; null for none.</param>
    public static IReadOnlyList<ModelCardMetric> All(EvaluationMetrics? measured) =>
    [
        new("Category accuracy", "accuracy", "0.000", m => m.CategoryAccuracy, m => m.MajorityCategoryAccuracy),
        new("Title exact match", "exact_match", "0.000", m => m.TitleExactMatch),
        new("Title word F1", "f1", "0.000", m => m.TitleF1),
        new("Median price error", "median_absolute_error", "0.##", m => m.MedianPriceError, m => m.BaselineMedianPriceError),
        new("Mean price error", "mae", "0.##", m => m.MeanPriceError, m => m.BaselineMeanPriceError),
        new(
            "Median price error, percent", "median_absolute_percentage_error", "0.0",
            m => m.MedianPricePercentError, m => m.BaselineMedianPricePercentError),
        new(
            "Prices within 10 %", "price_within_ten_percent", "0.000", m => m.PriceWithinTenPercent, m => m.BaselinePriceWithinTenPercent),
        .. measured?.Fields?.SelectMany(field => Of(field.Key, field.Value)) ?? [],
        new("Answers that parse", "parsed_share", "0.000", m => m.ParsedShare),
        new("Loss (nats per answer token)", "loss", "0.0000", m => m.Loss),
    ];

    /// <summary>Formats the metric's value; null where the metric was not measured.</summary>
    public string? Of(EvaluationMetrics? metrics) => Text(metrics is null ? null : Value(metrics));

    /// <summary>Formats the baseline's value; null where there is none.</summary>
    public string? BaselineOf(EvaluationMetrics? metrics) => Text(metrics is null ? null : Baseline?.Invoke(metrics));

    private static IEnumerable<ModelCardMetric> Of(string field, FieldMetrics measured)
    {
        var name = $"{char.ToUpperInvariant(field[0])}{field[1..]}";
        var unit = measured.Unit is null ? "" : $" ({measured.Unit})";
        return measured.Kind switch
        {
            FieldKind.Category => [Metric("accuracy", "accuracy", "0.000", f => f.ExactMatch)],
            FieldKind.Number =>
            [
                Metric($"median error{unit}", "median_absolute_error", "0.##", f => f.MedianError),
                Metric($"mean error{unit}", "mae", "0.##", f => f.MeanError),
                Metric("median error, percent", "median_absolute_percentage_error", "0.0", f => f.MedianPercentError),
                Metric("within 10 %", "within_ten_percent", "0.000", f => f.WithinTenPercent),
            ],
            _ =>
            [
                Metric("exact match", "exact_match", "0.000", f => f.ExactMatch),
                Metric(measured.Kind == FieldKind.List ? "item F1" : "word F1", "f1", "0.000", f => f.F1),
            ],
        };

        ModelCardMetric Metric(string figure, string type, string format, Func<FieldFigures, double?> value) => new(
            $"{name} {figure}", type, format,
            m => m.Fields?.GetValueOrDefault(field)?.Answered is { } answered ? value(answered) : null,
            m => m.Fields?.GetValueOrDefault(field)?.Baseline is { } baseline ? value(baseline) : null);
    }

    private string? Text(double? value) => value?.ToString(Format, CultureInfo.InvariantCulture);
}
