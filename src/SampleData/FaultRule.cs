namespace FunctionsPipeline.SampleData;

/// <summary>Rule that injects a fault into a hub's responses.</summary>
/// <param name="Path">Pattern of the unescaped paths; <c>*</c> matches any characters, slashes included.</param>
/// <param name="Fault">The fault to inject.</param>
public sealed record FaultRule(string Path, Fault Fault)
{
    /// <summary>
    /// Share of the paths affected, 0 to 1; selected by a hash of the path and the hub's seed alone. Rules with a share below 1 for the
    /// same <see cref="Path"/> select disjoint sets of paths.
    /// </summary>
    public double Share { get; init; } = 1;

    /// <summary>Number of faulty responses per path before the path is served correctly; no limit when left out.</summary>
    public int Times { get; init; } = int.MaxValue;
}

/// <summary>Count of a fault injected at one path.</summary>
/// <param name="Kind">The fault's name, such as <c>status-404</c> or <c>cut</c>.</param>
/// <param name="Path">The path whose responses were faulty.</param>
/// <param name="Count">Number of faulty responses.</param>
public sealed record InjectedFault(string Kind, string Path, int Count);
