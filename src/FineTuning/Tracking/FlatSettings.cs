using System.Text.Json;
using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>Flattens a run's settings to a list, for tools without nested parameters.</summary>
internal static class FlatSettings
{
    /// <summary>
    /// Lists every setting by its dotted name in a request, such as <c>lora.rank</c>; the value of an omitted setting is empty.
    /// </summary>
    public static IReadOnlyList<(string Name, string Value)> Of(TrainingSettings settings) =>
        [.. Flatten("", JsonSerializer.SerializeToElement(settings, Json))];

    private static readonly JsonSerializerOptions Json = new(PipelineJson.Compact)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    private static IEnumerable<(string, string)> Flatten(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Flatten(name.Length == 0 ? p.Name : $"{name}.{p.Name}", p.Value)),
        JsonValueKind.Array => [(name, string.Join(", ", value.EnumerateArray()))],
        _ => [(name, value.ToString())],
    };
}
