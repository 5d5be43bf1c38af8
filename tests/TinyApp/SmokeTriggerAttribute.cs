using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace FunctionsPipeline.TinyApp;

/// <summary>A trigger that no host knows.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class SmokeTriggerAttribute : TriggerBindingAttribute;

/// <summary>A function that nothing starts.</summary>
public static class SmokeDetector
{
    [Function(nameof(Smelled))]
    public static void Smelled([SmokeTrigger] string smoke) => Console.WriteLine(smoke);
}
