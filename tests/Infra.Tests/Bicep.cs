using System.Reflection;

namespace FunctionsPipeline.Infra.Tests;

/// <summary>The Bicep compiler, restored from its package.</summary>
internal static class Bicep
{
    /// <summary>Path of the executable.</summary>
    public static string Executable { get; } = Path.Combine(
        typeof(Bicep).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "BicepFolder").Value!, "bicep");
}
