using FunctionsPipeline.Infra.Tests.Checks;

namespace FunctionsPipeline.Infra.Tests;

/// <summary>The Bicep files, compiled once for all tests.</summary>
public sealed class CompiledInfrastructure : IAsyncLifetime
{
    internal Deployment Deployment { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        using var bicep = new Bicep();
        Deployment = await Deployment.CompileAsync(bicep, "all", Deployment.AllOptions);
    }

    public Task DisposeAsync() => Task.CompletedTask;
}

public sealed class BicepTests(CompiledInfrastructure infrastructure) : IClassFixture<CompiledInfrastructure>
{
    [Fact]
    public void Compiler_and_linter_have_nothing_to_say() => AssertNone(CompilerCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Snapshots_are_the_committed_ones() => AssertNone(SnapshotCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Resources_keep_to_Azures_types() => AssertNone(TypeCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Role_assignments_are_the_reviewed_ones() => AssertNone(RoleCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Settings_are_read_and_what_is_read_is_set() => AssertNone(SettingsCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Workers_have_the_GPU_that_they_need() => AssertNone(GpuCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Storage_is_closed_and_has_the_containers() => AssertNone(StorageCheck.Findings(infrastructure.Deployment));

    [Fact]
    public void Nothing_is_more_open_than_it_must_be() => AssertNone(ExposureCheck.Findings(infrastructure.Deployment));

    [Fact]
    public async Task Parameters_come_from_the_azd_environment()
    {
        using var bicep = new Bicep(new Dictionary<string, string> { ["AZURE_ENV_NAME"] = "example", ["WORKER_KEY"] = new('k', 32) });
        var (diagnostics, parameters) = await bicep.CompileAsync(Path.Combine(Deployment.Source, "main.bicepparam"));
        Assert.Empty(diagnostics);
        Assert.Contains("Consumption-GPU-NC8as-T4", parameters, StringComparison.Ordinal);
    }

    private static void AssertNone(IEnumerable<string> findings)
    {
        var all = findings.ToList();
        Assert.True(all.Count == 0, $"{all.Count} findings:\n{string.Join('\n', all)}");
    }
}
