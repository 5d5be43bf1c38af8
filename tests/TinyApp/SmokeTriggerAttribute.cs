using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace FunctionsPipeline.TinyApp;

/// <summary>Trigger type that no host supports.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class SmokeTriggerAttribute : TriggerBindingAttribute;

/// <summary>Function with an unsupported trigger.</summary>
public static class SmokeDetector
{
    [Function(nameof(Smelled))]
    public static void Smelled([SmokeTrigger] string smoke) => Console.WriteLine(smoke);
}
