using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Sweeps;

/// <summary>Training settings by their dotted names in a run request, such as <c>lora.rank</c>.</summary>
internal static class TrainingSetting
{
    /// <summary>Types of all settings, by name.</summary>
    public static IReadOnlyDictionary<string, Type> Types { get; } = Below(typeof(TrainingSettings), "").ToDictionary();

    /// <summary>Returns settings with some values replaced.</summary>
    /// <exception cref="JsonException">A value is not of its setting's type.</exception>
    public static TrainingSettings Apply(TrainingSettings settings, IReadOnlyDictionary<string, JsonElement> values)
    {
        var document = JsonSerializer.SerializeToNode(settings, RequestReader.Options)!;
        foreach (var (name, value) in values)
        {
            var path = name.Split('.');
            var parent = path[..^1].Aggregate(document, (node, member) => node[member]!);
            parent[path[^1]] = JsonSerializer.SerializeToNode(value);
        }
        return document.Deserialize<TrainingSettings>(RequestReader.Options)!;
    }

    private static IEnumerable<(string Name, Type Type)> Below(Type type, string prefix) =>
        RequestReader.Options.GetTypeInfo(type).Properties.SelectMany(property =>
            RequestReader.Options.GetTypeInfo(property.PropertyType).Kind == JsonTypeInfoKind.Object
                ? Below(property.PropertyType, $"{prefix}{property.Name}.")
                : [($"{prefix}{property.Name}", property.PropertyType)]);
}
