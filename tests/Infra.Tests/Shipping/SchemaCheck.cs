using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Json.Schema;
using YamlDotNet.Serialization;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Holds documents to the schemas in <c>Schemas</c>.</summary>
internal static partial class SchemaCheck
{
    private static readonly JsonDocumentOptions WithComments = new() { CommentHandling = JsonCommentHandling.Skip };

    /// <summary>Lists where a document breaks a schema.</summary>
    /// <param name="schema">File in <c>Schemas</c>.</param>
    /// <param name="text">The document, in JSON or YAML.</param>
    public static IReadOnlyList<string> Findings(string schema, string text)
    {
        using var document = JsonDocument.Parse(IsJson(text) ? text : ToJson(text), WithComments);
        var results = Load(schema).Evaluate(document.RootElement, new() { OutputFormat = OutputFormat.List });
        // Branches of anyOf and the like fail without the document failing.
        if (results.IsValid) return [];
        return [.. results.Details!.Where(result => result.Errors is not null)
            .SelectMany(result => result.Errors!.Select(error => $"{result.InstanceLocation}: {error.Value}")).Distinct()];
    }

    private static bool IsJson(string text) => text.TrimStart().StartsWith('{');

    private static string ToJson(string yaml)
    {
        var document = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object>(yaml);
        return new SerializerBuilder().JsonCompatible().Build().Serialize(document);
    }

    private static JsonSchema Load(string schema)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "tests", "Infra.Tests", "Schemas", schema));
        if (schema == "azure.yaml.json") text = Strict(text);
        // Definitions are read in the dialect of the options, whatever $schema says. JsonSchema.Net begins with draft 6; what the one
        // schema of draft 4 uses means the same there.
        text = text.Replace("draft-04/schema", "draft-06/schema", StringComparison.Ordinal);
        var options = new BuildOptions
        {
            SchemaRegistry = new SchemaRegistry(),
            Dialect = text.Contains("draft/2019-09/schema", StringComparison.Ordinal) ? Dialect.Draft201909
                : text.Contains("draft-07/schema", StringComparison.Ordinal) ? Dialect.Draft07
                : Dialect.Draft06,
        };
        // Schemas of azd's extensions, which are not used here.
        foreach (Match other in Remote().Matches(text))
            options.SchemaRegistry.Register(new Uri(other.Groups[1].Value), JsonSchema.FromText("true", options));
        return JsonSchema.FromText(text, options);
    }

    // azd passes over keys that it does not know, and so does its schema.
    private static string Strict(string text)
    {
        var schema = JsonNode.Parse(text)!;
        schema["additionalProperties"] = false;
        schema["properties"]!["services"]!["additionalProperties"]!["additionalProperties"] = false;
        schema["definitions"]!["docker"]!["additionalProperties"] = false;
        return schema.ToJsonString();
    }

    [GeneratedRegex(@"""\$ref"": ?""(https://[^""#]+)")]
    private static partial Regex Remote();
}
