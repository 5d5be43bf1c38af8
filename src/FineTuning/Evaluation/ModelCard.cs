using System.Globalization;
using System.Text;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// README.md of a fine-tuned model: a Hugging Face model card (https://huggingface.co/docs/hub/model-cards) with the measured figures.
/// </summary>
public static class ModelCard
{
    private const string FileName = "README.md";
    private const int MostCategories = 20;

    /// <summary>Writes the card of a successful run.</summary>
    /// <param name="folder">Folder of the model, with all its other files.</param>
    public static void Write(string folder, TrainingJob job, RunResult result)
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

            ```sh
            ./pipeline worker predict --model DIR image.jpg
            ```

            ## Data

            {Data(job, result)}

            ## Figures

            {Figures(result)}
            {Confusion(result)}
            ## Training

            {Invariant($"{result.Steps} steps, {result.TrainingSamples} samples seen, {result.Seconds:0} seconds.")}{BestStep(result)} Settings in bold differ from their defaults.

            {Settings(job.Settings)}

            """;
        File.WriteAllText(Path.Combine(folder, FileName), text);
    }

    private static string Data(TrainingJob job, RunResult result)
    {
        var splits = job.Shards.GroupBy(shard => shard.Split).Select(split => $"| {split.Key} | {split.Sum(shard => shard.Samples)} |");
        var dropped = result.DroppedSamples > 0 ? $"\n\n{result.DroppedSamples} samples were left out as too long." : "";
        return $"{(job.Dataset is { } dataset ? $"`{dataset}`" : "A dataset without a name.")}\n\n| split | samples |\n| --- | ---: |\n{string.Join('\n', splits)}{dropped}";
    }

    private static string Figures(RunResult result)
    {
        var (before, after, test) = (result.Base, result.FineTuned, result.Test);
        var table = new StringBuilder("| | base | fine-tuned | baseline | fine-tuned, test split |\n| --- | ---: | ---: | ---: | ---: |\n");
        foreach (var figure in Figure.All)
        {
            string?[] cells = [figure.Of(before), figure.Of(after), figure.BaselineOf(after), figure.Of(test)];
            if (cells.Any(cell => cell is not null)) table.Append($"| {figure.Name} | {string.Join(" | ", cells)} |\n");
        }
        var measured = after is null ? "" : $"Validation split: {after.Samples} samples, {after.Generated} of them with generated answers. ";
        return $"""
            {measured}{(test is null ? "There is no test split." : $"Test split, which nothing was chosen by: {test.Samples} samples.")}
            The baseline always answers the training split's most frequent category and its median price.

            {table}
            """;
    }

    private static string Confusion(RunResult result)
    {
        if ((result.Test ?? result.FineTuned)?.Confusion is not { Count: > 1 } rows) return "";
        var text = new StringBuilder($"## Confusion\n\nWhat was answered to samples of each category, {(result.Test is null ? "validation" : "test")} split");
        text.Append(rows.Count > MostCategories ? $"; the {MostCategories} most frequent of {rows.Count}.\n\n" : ".\n\n");
        text.Append("| category | samples | right | wrong answers |\n| --- | ---: | ---: | --- |\n");
        foreach (var row in rows.OrderByDescending(row => row.Answered.Values.Sum()).Take(MostCategories))
        {
            var wrong = row.Answered.Where(a => a.Key != row.Truth).OrderByDescending(a => a.Value)
                .Select(a => $"{(a.Key.Length == 0 ? "none" : Cell(a.Key))} {a.Value}");
            text.Append($"| {Cell(row.Truth)} | {row.Answered.Values.Sum()} | {row.Answered.GetValueOrDefault(row.Truth)} | {string.Join(", ", wrong)} |\n");
        }
        return text.Append('\n').ToString();
    }

    private static string Settings(TrainingSettings settings)
    {
        var defaults = FlatSettings.Of(new TrainingSettings()).ToDictionary(setting => setting.Name, setting => setting.Value);
        var rows = FlatSettings.Of(settings).Select(setting => setting.Value == defaults[setting.Name]
            ? $"| {setting.Name} | {Cell(setting.Value)} |" : $"| **{setting.Name}** | **{Cell(setting.Value)}** |");
        return $"| setting | value |\n| --- | --- |\n{string.Join('\n', rows)}";
    }

    private static string BestStep(RunResult result) => result.BestStep is { } best ? $" The model is that after step {best}, which had the lowest validation loss." : "";

    private static string Cell(string text) => text.Replace("|", "\\|").Replace("<", "\\<").Replace("\n", "\\n");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Adapter(TrainingJob job) => job.Settings.Method == FineTuningMethod.Lora
        ? $" The low-rank adapters are merged into its weights; the folder `{TrainedModel.AdapterFolder}` holds them by themselves, for PEFT."
        : "";
}
