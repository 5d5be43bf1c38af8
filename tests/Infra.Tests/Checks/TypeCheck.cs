using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Bicep.Types.Az;
using Azure.Bicep.Types.Concrete;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>
/// Types: every property, value of an enumeration, discriminator and required property of a snapshot is known to Azure's own type
/// definitions. The compiler leaves out values that parameters bring, and takes any text where a service may add values later.
/// </summary>
internal static class TypeCheck
{
    private static readonly AzTypeLoader Loader = new();
    private static readonly Lazy<IReadOnlyDictionary<string, Azure.Bicep.Types.CrossFileTypeReference>> Index =
        new(() => new Dictionary<string, Azure.Bicep.Types.CrossFileTypeReference>(
            Loader.LoadTypeIndex().Resources, StringComparer.OrdinalIgnoreCase));

    // Of the template, not of the resource.
    private static readonly string[] TemplateProperties = ["condition", "dependsOn", "scope"];

    public static IEnumerable<string> Findings(Deployment deployment) => deployment.Resources.SelectMany(found =>
        Findings(found.Resource).Select(finding => $"{found.Option}: {found.Resource["name"]}{finding}")).Distinct();

    private static IEnumerable<string> Findings(JsonObject resource)
    {
        var type = $"{resource["type"]}@{resource["apiVersion"]}";
        if (!Index.Value.TryGetValue(type, out var reference)) return [$" has no such type: {type}"];
        var value = resource.DeepClone().AsObject();
        foreach (var property in TemplateProperties) value.Remove(property);
        // The definition has the last part of the name of a resource that belongs to another.
        if (!IsExpression(value["name"])) value["name"] = ((string)value["name"]!).Split('/')[^1];
        return Findings(value, Loader.LoadResourceType(reference).Body.Type, "");
    }

    private static IEnumerable<string> Findings(JsonNode? value, TypeBase type, string path)
    {
        if (value is null || IsExpression(value)) return [];
        return type switch
        {
            ObjectType known => Object(value, known.Properties, known.AdditionalProperties?.Type, path),
            DiscriminatedObjectType known => Discriminated(value, known, path),
            UnionType union => Union(value, union, path),
            StringLiteralType literal => (value.GetValueKind(), value.ToString()) == (JsonValueKind.String, literal.Value)
                ? [] : [$"{path} is '{value}', must be '{literal.Value}'"],
            StringType => Kind(value, path, JsonValueKind.String),
            IntegerType number => Kind(value, path, JsonValueKind.Number).Concat(Range(value, number, path)),
            BooleanType => Kind(value, path, JsonValueKind.True, JsonValueKind.False),
            ArrayType list => value is JsonArray items
                ? items.SelectMany((item, i) => Findings(item, list.ItemType.Type, $"{path}[{i}]"))
                : Kind(value, path, JsonValueKind.Array),
            _ => [],
        };
    }

    private static IEnumerable<string> Object(
        JsonNode value, IReadOnlyDictionary<string, ObjectTypeProperty> properties, TypeBase? others, string path)
    {
        if (value is not JsonObject members) return Kind(value, path, JsonValueKind.Object);
        var missing = properties
            .Where(property => property.Value.Flags.HasFlag(ObjectTypePropertyFlags.Required) && members[property.Key] is null)
            .Select(property => $"{path}.{property.Key} is missing");
        return missing.Concat(members.SelectMany(member =>
            properties.TryGetValue(member.Key, out var property) ? Findings(member.Value, property.Type.Type, $"{path}.{member.Key}")
            : others is not null ? Findings(member.Value, others, $"{path}.{member.Key}")
            : [$"{path}.{member.Key} is no property"]));
    }

    private static IEnumerable<string> Discriminated(JsonNode value, DiscriminatedObjectType type, string path)
    {
        if (value is not JsonObject members) return Kind(value, path, JsonValueKind.Object);
        var kind = members[type.Discriminator];
        if (IsExpression(kind)) return [];
        if (kind is null || !type.Elements.TryGetValue(kind.ToString(), out var element))
            return [$"{path}.{type.Discriminator} is '{kind}', must be one of {string.Join(", ", type.Elements.Keys)}"];
        var properties = type.BaseProperties.Concat(((ObjectType)element.Type).Properties)
            .GroupBy(property => property.Key).ToDictionary(group => group.Key, group => group.Last().Value);
        return Object(value, properties, null, path);
    }

    private static IEnumerable<string> Union(JsonNode value, UnionType union, string path)
    {
        var elements = union.Elements.Select(element => element.Type).ToList();
        var literals = elements.OfType<StringLiteralType>().Select(literal => literal.Value).ToList();
        // Beside the literals of most enumerations stands "string", for values to come.
        if (literals.Count > 0 && value.GetValueKind() == JsonValueKind.String)
            return literals.Contains(value.ToString()) ? [] : [$"{path} is '{value}', must be one of {string.Join(", ", literals)}"];
        var findings = elements.Select(element => Findings(value, element, path).ToList()).ToList();
        return findings.Exists(list => list.Count == 0) ? [] : findings[0];
    }

    private static IEnumerable<string> Range(JsonNode value, IntegerType type, string path) =>
        value.GetValueKind() == JsonValueKind.Number && (value.GetValue<double>() is var number)
            && (number < type.MinValue || number > type.MaxValue)
            ? [$"{path} is {value}, must be from {type.MinValue} to {type.MaxValue}"]
            : [];

    private static IEnumerable<string> Kind(JsonNode value, string path, params JsonValueKind[] kinds) =>
        kinds.Contains(value.GetValueKind()) ? [] : [$"{path} is {value.ToJsonString()}, must be a {kinds[0]}"];

    private static bool IsExpression(JsonNode? value) => value?.GetValueKind() == JsonValueKind.String && value.ToString().StartsWith('[');
}
