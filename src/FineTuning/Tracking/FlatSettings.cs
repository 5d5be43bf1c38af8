using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>A run's settings as a flat list, for tools that know no nested ones.</summary>
internal static class FlatSettings
{
    /// <summary>Every setting by its dotted name as in a request, such as <c>lora.rank</c>; one that is left out has the empty text.</summary>
    public static IReadOnlyList<(string Name, string Value)> Of(TrainingSettings settings) =>
        [.. Flatten("", JsonSerializer.SerializeToElement(settings, Json))];

    private static readonly JsonSerializerOptions Json = new(PipelineJson.Compact)
    {
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.Never,
    };

    private static IEnumerable<(string, string)> Flatten(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Flatten(name.Length == 0 ? p.Name : $"{name}.{p.Name}", p.Value)),
        JsonValueKind.Array => [(name, string.Join(", ", value.EnumerateArray()))],
        _ => [(name, value.ToString())],
    };
}
