using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.DependencyInjection;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>Binds a trigger's own parameters: the value for the parameter, or null when the parameter is not the trigger's business.</summary>
internal delegate Bound? TriggerBinder(ParameterInfo parameter);

/// <summary>A value that a parameter gets.</summary>
internal sealed record Bound(object? Value);

/// <summary>Makes the function's object from the invocation's services, binds its parameters and calls it.</summary>
internal static class FunctionInvoker
{
    /// <summary>
    /// Calls the function. What a synchronous function returns comes back as it is; the caller passes it to <see cref="Result"/>.
    /// The two are apart so that an orchestrator's first step runs where its context wants it.
    /// </summary>
    /// <exception cref="InvalidOperationException">A parameter binds to nothing.</exception>
    public static object? Invoke(LocalFunctionContext context, TriggerBinder trigger)
    {
        var method = context.Function.Method;
        var arguments = method.GetParameters().Select(p => Bind(p, context, trigger)).ToArray();
        var target = method.IsStatic ? null : ActivatorUtilities.CreateInstance(context.InstanceServices, method.DeclaringType!);
        try
        {
            return method.Invoke(target, arguments);
        }
        catch (TargetInvocationException e) when (e.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
    }

    /// <summary>Awaits what a function returned, whatever kind of task it is; null for none.</summary>
    public static async Task<object?> Result(object? returned)
    {
        switch (returned)
        {
            case Task task:
                await task;
                var result = task.GetType().GetProperty("Result");
                return result is null || result.PropertyType.Name == "VoidTaskResult" ? null : result.GetValue(task);
            case ValueTask task:
                await task;
                return null;
            case { } value when value.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ValueTask<>):
                return await Result(type.GetMethod(nameof(ValueTask<object>.AsTask))!.Invoke(value, null));
            default:
                return returned;
        }
    }

    private static object? Bind(ParameterInfo parameter, LocalFunctionContext context, TriggerBinder trigger)
    {
        if (parameter.ParameterType.IsAssignableFrom(typeof(LocalFunctionContext)) && parameter.ParameterType != typeof(object)) return context;
        if (parameter.ParameterType == typeof(CancellationToken)) return context.CancellationToken;
        if (parameter.GetCustomAttribute<DurableClientAttribute>() is not null)
            return context.InstanceServices.GetRequiredService<DurableTaskClient>();
        if (trigger(parameter) is { } bound) return bound.Value;
        if (context.BindingContext.BindingData.TryGetValue(parameter.Name!, out var value)) return Convert(value, parameter, context);
        if (parameter.HasDefaultValue) return parameter.DefaultValue;
        throw new InvalidOperationException(
            $"Function {context.Function.Name}: nothing binds to parameter {parameter.Name} of type {parameter.ParameterType.Name}.");
    }

    private static object? Convert(object? value, ParameterInfo parameter, LocalFunctionContext context)
    {
        if (value is null || parameter.ParameterType.IsInstanceOfType(value)) return value;
        var converter = TypeDescriptor.GetConverter(parameter.ParameterType);
        try
        {
            return converter.ConvertFromString(null, CultureInfo.InvariantCulture, value.ToString()!);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new BindingException(
                $"Function {context.Function.Name}: {parameter.Name} is '{value}', which is no {parameter.ParameterType.Name}.", e);
        }
    }
}

/// <summary>A value of the event cannot become what the parameter wants; over HTTP, a bad request.</summary>
internal sealed class BindingException(string message, Exception inner) : Exception(message, inner);
