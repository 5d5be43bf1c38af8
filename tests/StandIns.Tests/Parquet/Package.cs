using System.Reflection;
using Parquet;

namespace FunctionsPipeline.Tests.StandIns.Parquet;

/// <summary>Which Parquet.Net these tests were built against: the stand-in, or the published package.</summary>
internal static class Package
{
    public static bool IsStandIn { get; } = typeof(ParquetReader).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Any(data => data.Key == "StandIn");
}

/// <summary>A test of what the published package does otherwise.</summary>
public sealed class StandInFactAttribute : FactAttribute
{
    /// <param name="reason">What the package does.</param>
    public StandInFactAttribute(string reason)
    {
        if (!Package.IsStandIn) Skip = reason;
    }
}

/// <inheritdoc cref="StandInFactAttribute"/>
public sealed class StandInTheoryAttribute : TheoryAttribute
{
    /// <param name="reason">What the package does.</param>
    public StandInTheoryAttribute(string reason)
    {
        if (!Package.IsStandIn) Skip = reason;
    }
}
