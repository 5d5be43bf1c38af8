using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>JSON settings shared by all documents: camel case, enums as words, nulls left out, unknown members refused.</summary>
public static class PipelineJson
{
    /// <summary>Indented form, for blobs and HTTP bodies.</summary>
    public static JsonSerializerOptions Options { get; } = Create(indented: true);

    /// <summary>Single-line form, for JSON lines and durable state.</summary>
    public static JsonSerializerOptions Compact { get; } = Create(indented: false);

    private static JsonSerializerOptions Create(bool indented) => new(JsonSerializerDefaults.Web)
    {
        WriteIndented = indented,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        // The web defaults accept numbers in quotes.
        NumberHandling = JsonNumberHandling.Strict,
        // The default encoder writes <, + and letters such as é as \uXXXX, so that prompts and titles could not be read.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };
}
