namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>Compiler and linter: they have nothing to say, not even a warning.</summary>
internal static class CompilerCheck
{
    public static IEnumerable<string> Findings(Deployment deployment) =>
        deployment.Options.SelectMany(option => option.Diagnostics.Select(line => $"{option.Name}: {line}"));
}
