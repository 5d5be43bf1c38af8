using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts;

/// <summary>JSON settings shared by all documents: camel case, enums as words, nulls left out, unknown members refused.</summary>
public static partial class PipelineJson
{
    /// <summary>Indented form, for blobs and HTTP bodies.</summary>
    public static JsonSerializerOptions Options { get; } = Create(indented: true);

    /// <summary>Single-line form, for JSON lines and durable state.</summary>
    public static JsonSerializerOptions Compact { get; } = Create(indented: false);

    /// <summary>Returns the message of an error in a document of ours; for an unknown member, the members that there are.</summary>
    public static string Explain(JsonException error)
    {
        var unknown = UnknownMember().Match(error.Message);
        if (!unknown.Success || typeof(PipelineJson).Assembly.GetType(unknown.Groups["type"].Value) is not { } type) return error.Message;
        var members = Compact.GetTypeInfo(type).Properties.Where(member => member.Set is not null).Select(member => member.Name);
        return $"there is no member '{unknown.Groups["member"].Value}'; there are {string.Join(", ", members)}. "
            + $"Path: {error.Path} | LineNumber: {error.LineNumber}";
    }

    // The reader tells this by its message only.
    [GeneratedRegex(@"^The JSON property '(?<member>.*)' could not be mapped to any \.NET member contained in type '(?<type>[^']*)'")]
    private static partial Regex UnknownMember();

    private static JsonSerializerOptions Create(bool indented) => new(JsonSerializerDefaults.Web)
    {
        WriteIndented = indented,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        // The web defaults accept numbers in quotes.
        NumberHandling = JsonNumberHandling.Strict,
        // The default encoder writes <, + and letters such as é as \uXXXX, so that prompts and titles could not be read.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };
}
