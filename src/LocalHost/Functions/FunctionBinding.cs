using System.Text.Json;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>Binding of a function, from the worker's metadata.</summary>
internal sealed class FunctionBinding(JsonElement json)
{
    /// <summary>Name of the function's parameter, or <c>$return</c>.</summary>
    public string Name => Text("name") ?? "";

    /// <summary>Type of the binding, such as <c>httpTrigger</c> or <c>durableClient</c>.</summary>
    public string Type => Text("type") ?? "";

    public bool IsTrigger => Type.EndsWith("Trigger", StringComparison.OrdinalIgnoreCase);

    /// <summary>True when the worker creates the bound client itself, from a reference (<c>ModelBindingData</c>).</summary>
    public bool IsDeferred => json.TryGetProperty("properties", out var properties)
        && properties.TryGetProperty("supportsDeferredBinding", out var deferred)
        && string.Equals(deferred.ToString(), "true", StringComparison.OrdinalIgnoreCase);

    public bool Is(string type) => Type.Equals(type, StringComparison.OrdinalIgnoreCase);

    public string? Text(string property) =>
        json.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public bool? Flag(string property) =>
        json.TryGetProperty(property, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : null;

    public IReadOnlyList<string> Texts(string property) =>
        json.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(text => text.ToString())]
            : [];
}
