namespace FunctionsPipeline.Benchmarks;

/// <summary>What <see cref="ReferenceTable.Source"/> took, in milliseconds.</summary>
internal static class ReferenceFigures
{
    public const double TrainingStep = 295;
    public const double Forward = 96;
    public const double Generation = 290;
    public const double Prefill = 87;
    public const double Images16 = 50;
    public const double Images1 = 20;
    public const double Decoding = 4;
}
