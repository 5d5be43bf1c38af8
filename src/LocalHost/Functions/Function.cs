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
    public string? Obstacle
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
