namespace FunctionsPipeline.Benchmarks;

/// <summary>What a group of measurements has to report.</summary>
/// <param name="Text">What was measured and how, in sentences.</param>
internal sealed record Section(string Text, params IReadOnlyList<Table> Tables);
