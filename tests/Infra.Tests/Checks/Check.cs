namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>All checks of a deployment.</summary>
internal static class Check
{
    /// <summary>Lists what the checks find, but for the comparison with the committed snapshots, which shows every change.</summary>
    public static IReadOnlyList<string> AllButSnapshots(Deployment deployment) =>
    [
        .. CompilerCheck.Findings(deployment), .. TypeCheck.Findings(deployment), .. RoleCheck.Findings(deployment),
        .. SettingsCheck.Findings(deployment), .. GpuCheck.Findings(deployment), .. StorageCheck.Findings(deployment),
        .. ExposureCheck.Findings(deployment),
    ];
}
