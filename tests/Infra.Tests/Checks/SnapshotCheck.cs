namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>Snapshots: what a deployment would create is what was committed.</summary>
internal static class SnapshotCheck
{
    public static IEnumerable<string> Findings(Deployment deployment)
    {
        foreach (var option in deployment.Options)
        {
            var name = option.Name + CompiledOption.SnapshotExtension;
            var committed = Path.Combine(Deployment.Source, "options", name);
            if (File.Exists(committed) && File.ReadAllText(committed) == option.Snapshot) continue;
            yield return $"infra/options/{name} is not what Bicep makes of the option. If the change is meant:\n"
                + $"cp {Path.Combine(deployment.Folder, "options", name)} {committed}";
        }
    }
}
