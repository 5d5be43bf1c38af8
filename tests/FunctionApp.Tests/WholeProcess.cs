namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Tests that listen to logs, spans or metrics of the whole process: none runs beside another test.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public static class WholeProcess
{
    public const string Name = "Whole process";
}
