using System.Globalization;
using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>YAML header of a model card, which the Hub indexes: https://github.com/huggingface/hub-docs/blob/main/modelcard.md.</summary>
internal static class ModelCardHeader
{
    private const string Task = "image-text-to-text";

    public static string Of(TrainingJob job, RunResult result)
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
            yaml.Append($"    dataset:\n      type: {Quoted(dataset ?? job.Run)}\n      name: {Quoted(dataset ?? job.Run)}\n");
            yaml.Append($"      split: {(result.Test is null ? Splits.Validation : Splits.Test)}\n");
            if (revision is not null) yaml.Append($"      revision: {Quoted(revision)}\n");
            yaml.Append("    metrics:\n");
            foreach (var figure in Figure.All)
            {
                if (figure.Value(measured) is not { } value) continue;
                yaml.Append($"    - type: {figure.Type}\n      name: {Quoted(figure.Name)}\n");
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
