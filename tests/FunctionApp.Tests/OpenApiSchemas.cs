using System.ComponentModel;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Schemas of the records that requests and responses are made of, each under the name of its type.</summary>
internal sealed class OpenApiSchemas
{
    private static readonly JsonSerializerOptions Json =
        new(PipelineJson.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    private readonly SortedDictionary<string, JsonNode> _schemas = new(StringComparer.Ordinal);
    private readonly XmlSummaries _summaries = new(typeof(RunRequest).Assembly, typeof(Health).Assembly);

    public JsonObject All() => new(_schemas.Select(schema => KeyValuePair.Create(schema.Key, (JsonNode?)schema.Value)));

    /// <summary>Returns a reference to the schema of a record, which is generated at its first use.</summary>
    /// <param name="isRequest">True to give the defaults of members that may be left out, and to refuse other members.</param>
    public JsonObject Of(Type type, bool isRequest)
    {
        if (!_schemas.ContainsKey(type.Name))
        {
            // Keeps a record that contains itself from being generated without end.
            _schemas.Add(type.Name, new JsonObject());
            _schemas[type.Name] = Generate(type, isRequest);
        }
        return new JsonObject { ["$ref"] = $"#/components/schemas/{type.Name}" };
    }

    private JsonNode Generate(Type type, bool isRequest)
    {
        if (Converted(type, isRequest) is { } converted) return converted;
        var defaults = isRequest
            ? JsonSerializer.SerializeToNode(Activator.CreateInstance(type), type, PipelineJson.Options)!.AsObject()
            : [];
        var options = new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true,
            TransformSchemaNode = (context, schema) =>
            {
                var node = context.TypeInfo.Type;
                // A type with a converter of its own has the schema true.
                if (schema is not JsonObject) schema = IsRecord(node) ? new JsonObject() : schema;
                if (schema is not JsonObject) return schema;
                // A member that is null is left out, so that none is of the type "null".
                if (schema["type"] is JsonArray types) schema["type"] = types.First(one => (string)one! != "null")!.DeepClone();
                if (schema["enum"] is JsonArray words) schema = Enumeration(words);
                if (context.Path.IsEmpty) return Complete(type, schema.AsObject(), isRequest);
                if (IsRecord(node)) schema = Of(node, isRequest);
                if (context.PropertyInfo is not { } property || context.Path[^2] != "properties") return schema;
                var member = (PropertyInfo)property.AttributeProvider!;
                if (_summaries.Of(member) is { Length: > 0 } summary) schema["description"] = summary;
                AllowNulls(new NullabilityInfoContext().Create(member), schema);
                if (defaults[property.Name] is JsonValue value) schema["default"] = value.DeepClone();
                return schema;
            },
        };
        return Json.GetJsonSchemaAsNode(type, options);
    }

    /// <summary>Returns the schema of a type that has a JSON converter; null for others.</summary>
    private JsonObject? Converted(Type type, bool isRequest)
    {
        static JsonObject Of(string type) => new() { ["type"] = type };
        var schema = type == typeof(FieldValue)
            ? new JsonObject
            {
                ["oneOf"] = new JsonArray(
                    Of("string"), Of("number"), new JsonObject { ["type"] = "array", ["items"] = Of("string") }),
            }
            : type == typeof(FieldValues)
                ? new JsonObject { ["type"] = "object", ["additionalProperties"] = this.Of(typeof(FieldValue), isRequest) }
                : null;
        schema?.Insert(0, "description", _summaries.Of(type));
        return schema;
    }

    private JsonObject Complete(Type type, JsonObject schema, bool isRequest)
    {
        schema.Remove("required");
        if (!isRequest) schema.Remove("additionalProperties");
        // In a request, text that is empty by default must be given, unless an attribute says that this default is meant.
        var required = schema["properties"]!.AsObject().Where(member => isRequest
            ? member.Value!["default"] is JsonValue value && value.GetValueKind() == JsonValueKind.String && (string)value! == ""
                && PropertyOf(type, member.Key).GetCustomAttribute<DefaultValueAttribute>() is null
            : IsAlwaysThere(type, member.Key)).ToList();
        foreach (var member in required) member.Value!.AsObject().Remove("default");
        if (required.Count > 0) schema["required"] = new JsonArray([.. required.Select(member => JsonValue.Create(member.Key))]);
        if (_summaries.Of(type) is { Length: > 0 } summary) schema.Insert(0, "description", summary);
        return schema;
    }

    private static bool IsRecord(Type type) =>
        !type.IsEnum && type.Namespace?.StartsWith(nameof(FunctionsPipeline), StringComparison.Ordinal) == true;

    private static PropertyInfo PropertyOf(Type type, string member) =>
        type.GetProperties().Single(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name) == member);

    private static bool IsAlwaysThere(Type type, string member)
    {
        var property = PropertyOf(type, member);
        return Nullable.GetUnderlyingType(property.PropertyType) is null
            && new NullabilityInfoContext().Create(property).ReadState != NullabilityState.Nullable;
    }

    // Unlike a member, an item of a list or a value of a dictionary may be null in JSON.
    private static void AllowNulls(NullabilityInfo property, JsonNode schema)
    {
        if (property.GenericTypeArguments is not [.., var item]) return;
        if ((schema["items"] ?? schema["additionalProperties"]) is not JsonObject items) return;
        if (item.ReadState == NullabilityState.Nullable && items["type"] is JsonValue type)
            items["type"] = new JsonArray(type.DeepClone(), "null");
        AllowNulls(item, items);
    }

    private static JsonObject Enumeration(JsonArray words) => new()
    {
        ["type"] = "string",
        ["enum"] = new JsonArray([.. words.Where(word => word is not null).Select(word => word!.DeepClone())]),
    };
}

/// <summary>XML summaries of assemblies as Markdown of one line, from the files that the compiler writes beside them.</summary>
internal sealed partial class XmlSummaries(params IReadOnlyList<Assembly> assemblies)
{
    private readonly Dictionary<string, XElement> _members = assemblies
        .Select(assembly => XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml"), LoadOptions.PreserveWhitespace))
        .SelectMany(file => file.Descendants("member"))
        // Both assemblies have the types that the regex generator writes.
        .DistinctBy(member => member.Attribute("name")!.Value)
        .ToDictionary(member => member.Attribute("name")!.Value);

    public string Of(MemberInfo member) => Of(
        member is Type type ? $"T:{type.FullName}" : $"P:{member.DeclaringType!.FullName}.{member.Name}", member);

    private string Of(string id, MemberInfo member)
    {
        var summary = _members.GetValueOrDefault(id)?.Element("summary");
        if (_members.GetValueOrDefault(id)?.Element("inheritdoc")?.Attribute("cref")?.Value is { } other)
            summary = _members[other].Element("summary");
        // A positional record describes its members as parameters.
        if (summary is null && member is PropertyInfo)
        {
            summary = _members.GetValueOrDefault($"T:{member.DeclaringType!.FullName}")?.Elements("param")
                .FirstOrDefault(parameter => parameter.Attribute("name")!.Value == member.Name);
        }
        return summary is null ? "" : Whitespace().Replace(string.Concat(summary.Nodes().Select(Markdown)), " ").Trim();
    }

    private string Markdown(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "see", IsEmpty: true } see =>
            see.Attribute("href")?.Value ?? Reference(see.Attribute("cref")!.Value),
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement element => string.Concat(element.Nodes().Select(Markdown)),
        _ => "",
    };

    // A constant is its value, a class of constants their list, and a member has its name in JSON.
    private string Reference(string reference)
    {
        var (kind, name) = (reference[0], reference[2..]);
        if (kind == 'T' && Find(name) is { IsAbstract: true, IsSealed: true } type)
        {
            var constants = type.GetFields().Where(field => field.IsLiteral);
            return string.Join(", ", constants.Select(constant => $"`{constant.GetRawConstantValue()}`"));
        }
        var (owner, member) = (name[..name.LastIndexOf('.')], name[(name.LastIndexOf('.') + 1)..]);
        if (kind == 'F' && Find(owner)?.GetField(member) is { FieldType.IsEnum: false, IsLiteral: true } value)
            return $"`{value.GetRawConstantValue()}`";
        return $"`{(kind is 'P' or 'F' ? JsonNamingPolicy.CamelCase.ConvertName(member) : member)}`";
    }

    private Type? Find(string name) =>
        assemblies.Select(assembly => assembly.GetType(name)).FirstOrDefault(type => type is not null);

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}
