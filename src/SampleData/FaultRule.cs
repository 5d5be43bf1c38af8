namespace FunctionsPipeline.SampleData;

/// <summary>Which answers of a hub are spoilt, and how.</summary>
/// <param name="Path">Paths it is about, as they are after unescaping; <c>*</c> stands for any characters, slashes too.</param>
/// <param name="Fault">What happens.</param>
public sealed record FaultRule(string Path, Fault Fault)
{
    /// <summary>
    /// Share of the paths, 0 to 1. Which ones depends on the path and the hub's seed alone. Rules with a share below 1 for the same
    /// <see cref="Path"/> never meet: each takes the paths after those of the rule before it.
    /// </summary>
    public double Share { get; init; } = 1;

    /// <summary>Answers of one path that are spoilt before it is served as it should be; without end when left out.</summary>
    public int Times { get; init; } = int.MaxValue;
}

/// <summary>A fault that has happened.</summary>
/// <param name="Kind">The fault's name, such as <c>status-404</c> or <c>cut</c>.</param>
/// <param name="Path">The path whose answers were spoilt.</param>
/// <param name="Count">How many of them.</param>
public sealed record InjectedFault(string Kind, string Path, int Count);
