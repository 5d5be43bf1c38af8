using System.Reflection;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>A method that carries <c>[Function]</c>.</summary>
internal sealed record FunctionDescriptor
{
    public required string Name { get; init; }

    public required MethodInfo Method { get; init; }

    /// <summary>The parameter that carries the trigger.</summary>
    public required ParameterInfo TriggerParameter { get; init; }

    public required TriggerBindingAttribute Trigger { get; init; }

    /// <summary>Type and method, for messages.</summary>
    public string EntryPoint => $"{Method.DeclaringType!.FullName}.{Method.Name}";

    /// <summary>The trigger's kind as host tools name it: <c>httpTrigger</c>, <c>blobTrigger</c>…</summary>
    public string TriggerKind
    {
        get
        {
            var name = Trigger.GetType().Name.Replace("Attribute", "", StringComparison.Ordinal);
            return char.ToLowerInvariant(name[0]) + name[1..];
        }
    }
}
