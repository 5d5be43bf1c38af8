using System.Text.Json;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Features that the datasets library stores for the columns, under the key <c>huggingface</c> of a Parquet file's metadata.
/// </summary>
internal sealed class DatasetFeatures
{
    private readonly Dictionary<string, DatasetFeature> _columns = [];

    private DatasetFeatures()
    {
    }

    /// <param name="metadata">The key's JSON, <c>{"info":{"features":{…}}}</c>; null when the file has none.</param>
    /// <exception cref="InvalidDataException">The metadata is not valid JSON.</exception>
    public static DatasetFeatures Parse(string? metadata)
    {
        var features = new DatasetFeatures();
        if (metadata is null) return features;
        try
        {
            using var document = JsonDocument.Parse(metadata);
            var root = Member(document.RootElement, "info") ?? document.RootElement;
            if (Member(root, "features") is { ValueKind: JsonValueKind.Object } columns)
                foreach (var column in columns.EnumerateObject())
                    if (Read(column.Value) is { } feature) features._columns[column.Name] = feature;
            return features;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"the metadata 'huggingface' is no JSON: {e.Message}", e);
        }
    }

    /// <summary>Returns the feature of a column, or of the elements of a list column; null when the metadata has none.</summary>
    public DatasetFeature? Of(string column) => _columns.GetValueOrDefault(column);

    private static DatasetFeature? Read(JsonElement feature)
    {
        // A list is written as [feature], or as {"feature": …, "_type": "Sequence"}, "List" or "LargeList".
        if (feature.ValueKind == JsonValueKind.Array) return feature.GetArrayLength() == 1 ? Read(feature[0]) : null;
        if (Member(feature, "feature") is { } element) return Read(element);
        var names = Member(feature, "names") is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(name => name.ToString()).ToList()
            : null;
        // Older files omit _type and only list the class names.
        var type = Member(feature, "_type") is { ValueKind: JsonValueKind.String } said ? said.GetString()! : names is null ? null : DatasetFeature.ClassLabel;
        return type is null ? null : new DatasetFeature(type, type == DatasetFeature.ClassLabel ? names : null);
    }

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : null;
}

/// <summary>The feature of a column.</summary>
/// <param name="Type">Name of the feature in the datasets library, such as <c>Image</c>, <c>ClassLabel</c> or <c>Value</c>.</param>
/// <param name="Names">Class names of a <c>ClassLabel</c>; null when it has none.</param>
internal sealed record DatasetFeature(string Type, IReadOnlyList<string>? Names)
{
    public const string Image = "Image";
    public const string ClassLabel = "ClassLabel";

    private const int NamesShown = 3;

    /// <summary>Formats the feature for display, such as <c>ClassLabel (10 names: dress, hat, coat, …)</c>.</summary>
    public override string ToString() => Names is null ? Type
        : $"{Type} ({Names.Count} {(Names.Count == 1 ? "name" : "names")}: {string.Join(", ", Names.Take(NamesShown))}{(Names.Count > NamesShown ? ", …" : "")})";
}
