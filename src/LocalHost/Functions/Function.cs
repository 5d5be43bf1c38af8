using System.Text.Json;
using FunctionsPipeline.LocalHost.Worker.Messages;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>Function of the app, from the worker's metadata.</summary>
internal sealed class Function
{
    private static readonly string[] Triggers =
        ["httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger", "orchestrationTrigger", "activityTrigger", "entityTrigger"];

    public Function(RpcFunctionMetadata metadata)
    {
        Id = metadata.FunctionId;
        Name = metadata.Name;
        Bindings = [.. metadata.RawBindings.Select(binding => new FunctionBinding(JsonSerializer.Deserialize<JsonElement>(binding)))];
        Trigger = Bindings.FirstOrDefault(binding => binding.IsTrigger);
    }

    /// <summary>Function id in messages to the worker.</summary>
    public string Id { get; }

    public string Name { get; }

    public IReadOnlyList<FunctionBinding> Bindings { get; }

    public FunctionBinding? Trigger { get; }

    public IEnumerable<FunctionBinding> DurableClients => Bindings.Where(binding => binding.Is("durableClient"));

    /// <summary>Reason why this host cannot run the function; null when it can.</summary>
    public string? UnsupportedReason
    {
        get
        {
            if (Trigger is null) return "it has no trigger";
            if (!Triggers.Contains(Trigger.Type, StringComparer.OrdinalIgnoreCase)) return $"a {Trigger.Type} is not known here";
            var other = Bindings.FirstOrDefault(
                binding => binding != Trigger && !binding.Is("durableClient") && !binding.Is("http"));
            return other is null ? null : $"its binding {other.Name} ({other.Type}) is not known here";
        }
    }
}

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
