using System.Reflection;
using System.Reflection.Emit;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Extensions.DurableTask;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Emits a class with one static method per function of the app, because the WebJobs SDK finds functions as static methods with attributes.
/// Each method passes its arguments to a <see cref="InvocationBridge"/>.
/// </summary>
internal static partial class EmittedFunctions
{
    /// <summary>Parameter name of HTTP functions, which only <c>CallAsync</c> starts.</summary>
    public const string HttpArgument = "httpContext";

    private const string CancellationArgument = "cancellationToken";

    /// <param name="functions">The app's functions; those that this host cannot run are skipped.</param>
    /// <param name="bridge">Target of the emitted methods.</param>
    /// <exception cref="InvalidOperationException">A trigger lacks a required property.</exception>
    public static Type Create(IEnumerable<Function> functions, InvocationBridge bridge)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Functions"), AssemblyBuilderAccess.RunAndCollect);
        var type = assembly.DefineDynamicModule("Functions").DefineType(
            "Functions", TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed);
        var bridgeField = type.DefineField("Bridge", typeof(InvocationBridge), FieldAttributes.Public | FieldAttributes.Static);
        foreach (var function in functions.Where(function => function.UnsupportedReason is null))
            Define(type, bridgeField, function, bridge);
        var created = type.CreateType();
        created.GetField(bridgeField.Name)!.SetValue(null, bridge);
        return created;
    }

    private static void Define(TypeBuilder type, FieldInfo bridgeField, Function function, InvocationBridge bridge)
    {
        var parameters = Parameters(function).ToList();
        // Only durable triggers use a return value; the SDK rejects methods of other triggers that have one.
        var (callName, returned) = function.Trigger!.Type switch
        {
            "orchestrationTrigger" or "entityTrigger" => (nameof(InvocationBridge.InvokeForTextAsync), typeof(Task<string>)),
            "activityTrigger" => (nameof(InvocationBridge.InvokeAsync), typeof(Task<object>)),
            _ => (nameof(InvocationBridge.InvokeAsync), typeof(Task)),
        };
        var call = typeof(InvocationBridge).GetMethod(callName)!;
        var method = type.DefineMethod(
            function.Name, MethodAttributes.Public | MethodAttributes.Static, returned, [.. parameters.Select(p => p.Type)]);
        method.SetCustomAttribute(Attribute<FunctionNameAttribute>([function.Name]));
        if (function.Trigger.Is("httpTrigger")) method.SetCustomAttribute(Attribute<NoAutomaticTriggerAttribute>([]));
        for (var i = 0; i < parameters.Count; i++)
        {
            var parameter = method.DefineParameter(i + 1, ParameterAttributes.None, parameters[i].Name);
            if (parameters[i].Attribute is { } attribute) parameter.SetCustomAttribute(attribute);
        }
        EmitCall(method.GetILGenerator(), bridgeField, call, bridge.Add(function, [.. parameters.Select(p => p.Name)]), parameters);
    }

    // Emits: return Bridge.{call}(index, new object[] { argument0, argument1, … });
    private static void EmitCall(ILGenerator il, FieldInfo bridge, MethodInfo call, int index, List<Parameter> parameters)
    {
        il.Emit(OpCodes.Ldsfld, bridge);
        il.Emit(OpCodes.Ldc_I4, index);
        il.Emit(OpCodes.Ldc_I4, parameters.Count);
        il.Emit(OpCodes.Newarr, typeof(object));
        for (var i = 0; i < parameters.Count; i++)
        {
            il.Emit(OpCodes.Dup);
            il.Emit(OpCodes.Ldc_I4, i);
            // ILGenerator turns an int operand of Ldarg into the opcode's own 8 or 16 bits.
            il.Emit(OpCodes.Ldarg, i);
            if (parameters[i].Type.IsValueType) il.Emit(OpCodes.Box, parameters[i].Type);
            il.Emit(OpCodes.Stelem_Ref);
        }
        il.Emit(OpCodes.Callvirt, call);
        il.Emit(OpCodes.Ret);
    }

    private static IEnumerable<Parameter> Parameters(Function function)
    {
        var trigger = function.Trigger!;
        foreach (var parameter in TriggerParameters(function, trigger)) yield return parameter;
        foreach (var client in function.DurableClients)
        {
            yield return new Parameter(client.Name, typeof(string), Attribute<DurableClientAttribute>(
                [],
                (nameof(DurableClientAttribute.TaskHub), client.Text("taskHub")),
                (nameof(DurableClientAttribute.ConnectionName), client.Text("connectionName"))));
        }
        yield return new Parameter(CancellationArgument, typeof(CancellationToken));
    }

    private static IEnumerable<Parameter> TriggerParameters(Function function, FunctionBinding trigger)
    {
        string Required(string property) => trigger.Text(property)
            ?? throw new InvalidOperationException($"The {trigger.Type} of function {function.Name} has no {property}.");
        var data = trigger.IsDeferred ? typeof(ParameterBindingData) : typeof(string);
        switch (trigger.Type)
        {
            case "httpTrigger":
                yield return new Parameter(HttpArgument, typeof(HttpContext));
                break;
            case "orchestrationTrigger":
                yield return new Parameter(trigger.Name, typeof(string), Attribute<OrchestrationTriggerAttribute>(
                    [], (nameof(OrchestrationTriggerAttribute.Orchestration), trigger.Text("orchestration"))));
                break;
            case "activityTrigger":
                yield return new Parameter(trigger.Name, typeof(string), Attribute<ActivityTriggerAttribute>(
                    [], (nameof(ActivityTriggerAttribute.Activity), trigger.Text("activity"))));
                break;
            case "entityTrigger":
                yield return new Parameter(trigger.Name, typeof(string), Attribute<EntityTriggerAttribute>(
                    [], (nameof(EntityTriggerAttribute.EntityName), trigger.Text("entityName"))));
                break;
            case "blobTrigger":
                // The trigger's Source is dropped: Azurite sends no events, so the container is scanned.
                yield return new Parameter(trigger.Name, data, Attribute<BlobTriggerAttribute>(
                    [Required("path")], (nameof(BlobTriggerAttribute.Connection), trigger.Text("connection"))));
                yield return new Parameter("blobTrigger", typeof(string));
                foreach (Match token in PathToken().Matches(Required("path")))
                    yield return new Parameter(token.Groups[1].Value, typeof(string));
                break;
            case "queueTrigger":
                yield return new Parameter(trigger.Name, data, Attribute<QueueTriggerAttribute>(
                    [Required("queueName")], (nameof(QueueTriggerAttribute.Connection), trigger.Text("connection"))));
                yield return new Parameter("id", typeof(string));
                yield return new Parameter("dequeueCount", typeof(long));
                break;
            case "timerTrigger":
                yield return new Parameter(trigger.Name, typeof(TimerInfo), Attribute<TimerTriggerAttribute>(
                    [Required("schedule")],
                    (nameof(TimerTriggerAttribute.RunOnStartup), trigger.Flag("runOnStartup")),
                    (nameof(TimerTriggerAttribute.UseMonitor), trigger.Flag("useMonitor"))));
                break;
            default:
                throw new InvalidOperationException($"A {trigger.Type} is not known here.");
        }
    }

    private static CustomAttributeBuilder Attribute<T>(object[] arguments, params IEnumerable<(string Name, object? Value)> properties)
        where T : Attribute
    {
        var set = properties.Where(property => property.Value is not null).ToList();
        return new CustomAttributeBuilder(
            typeof(T).GetConstructor([.. arguments.Select(argument => argument.GetType())])!, arguments,
            [.. set.Select(property => typeof(T).GetProperty(property.Name)!)], [.. set.Select(property => property.Value)]);
    }

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex PathToken();

    private sealed record Parameter(string Name, Type Type, CustomAttributeBuilder? Attribute = null);
}
