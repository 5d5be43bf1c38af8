using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>The one way in which documents are written and read: camel case, enums as words, nulls left out, unknown members refused.</summary>
public static class PipelineJson
{
    /// <summary>For documents that are blobs or HTTP bodies.</summary>
    public static JsonSerializerOptions Options { get; } = Create(indented: true);

    /// <summary>For JSON lines and for durable state.</summary>
    public static JsonSerializerOptions Compact { get; } = Create(indented: false);

    private static JsonSerializerOptions Create(bool indented) => new(JsonSerializerDefaults.Web)
    {
        WriteIndented = indented,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };
}
