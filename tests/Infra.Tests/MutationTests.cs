using FunctionsPipeline.Infra.Tests.Checks;

namespace FunctionsPipeline.Infra.Tests;

/// <summary>A mistake that somebody might make in the Bicep files.</summary>
/// <param name="File">File in <c>infra</c> that it is made in.</param>
/// <param name="Right">Text that stands there once.</param>
/// <param name="Wrong">Text that takes its place.</param>
/// <param name="Finding">Part of what the checks must say.</param>
/// <param name="Option">Option in which the mistake shows.</param>
public sealed record Mutant(string File, string Right, string Wrong, string Finding, string Option = Deployment.Default)
{
    /// <summary>All mistakes, by their names.</summary>
    public static IReadOnlyDictionary<string, Mutant> All { get; } = new Dictionary<string, Mutant>
    {
        ["role_of_another_id"] = new(
            "modules/roles.bicep", "7f951dda-4ed3-4680-a7ca-43fe172d538d", "7f951dda-4ed3-4680-a7ca-43fe172d538e",
            "Role = 7f951dda-4ed3-4680-a7ca-43fe172d538e, Scope = registry } is not in the table"),
        ["role_that_is_missing"] = new(
            "modules/roles.bicep", "  { container: 'datasets', identity: trainIdentity, role: roles.blobReader }\n", "",
            "Grant { Who = train, Role = Storage Blob Data Reader, Scope = data account, container datasets } is in the table"),
        ["role_of_another_identity"] = new(
            "modules/roles.bicep",
            "{ container: 'models', identity: serveIdentity, role: roles.blobReader }",
            "{ container: 'models', identity: serveIdentity, role: roles.blobContributor }",
            "Grant { Who = serve, Role = Storage Blob Data Contributor, Scope = data account, container models } is not in the table"),
        ["role_of_too_wide_a_scope"] = new(
            "modules/events.bicep", "  scope: account::blobs::deadLetters\n", "  scope: account\n",
            "Grant { Who = topic, Role = Storage Blob Data Contributor, Scope = data account } is not in the table"),
        ["identity_of_another_app"] = new(
            "main.bicep", "    identityName: names.serveIdentity\n", "    identityName: names.appIdentity\n",
            "runs as the identity of another"),
        ["value_of_no_enumeration"] = new(
            "modules/storage.bicep", "name: 'Standard_LRS'", "name: 'Standard_LSR'", ".sku.name is 'Standard_LSR', must be one of"),
        ["trigger_that_is_none"] = new(
            "modules/training.bicep", "triggerType: 'Manual'", "triggerType: 'manual'", ".triggerType is 'manual', must be one of"),
        ["property_that_is_none"] = new(
            "modules/serving.bicep", "cooldownPeriod: 600", "coolDownPeriod: 600", "\"coolDownPeriod\""),
        ["setting_that_is_none"] = new(
            "modules/functions.bicep", "  Worker__Url: workerUrl\n", "  Worker__Adress: workerUrl\n",
            "the app has no setting Worker:Adress"),
        ["setting_that_is_missing"] = new(
            "modules/functions.bicep", "  PipelineStorage__clientId: clientId\n", "",
            "the host's setting PipelineStorage:clientId is not set"),
        ["variable_that_is_none"] = new(
            "modules/serving.bicep", "{ name: 'Worker__Key', secretRef: 'worker-key' }",
            "{ name: 'Worker__Keys', secretRef: 'worker-key' }", "Microsoft.App/containerApps reads no variable Worker:Keys"),
        ["variable_that_is_missing"] = new(
            "modules/training.bicep", "            { name: 'PipelineStorage__clientId', value: identity.properties.clientId }\n", "",
            "the variable PipelineStorage:clientId of the worker in Microsoft.App/jobs is not set"),
        ["storage_with_keys"] = new(
            "modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "has allowSharedKeyAccess"),
        ["storage_that_is_public"] = new(
            "modules/storage.bicep", "publicAccess: 'None'", "publicAccess: 'Blob'", "is public"),
        ["storage_open_to_all_networks"] = new(
            "modules/storage.bicep", "isPrivate ? 'Deny' : 'Allow'", "isPrivate ? 'Allow' : 'Allow'", "is open to all networks", "network"),
        ["container_that_is_missing"] = new(
            "main.bicep", "'predictions', 'corrections']", "'predictions']", "there is no container corrections"),
        ["GPU_that_is_none"] = new(
            "modules/training.bicep", "workloadProfileName: 'training'", "workloadProfileName: 'train'", "uses the profile train"),
        ["type_that_the_GPU_lacks"] = new(
            "main.bicep", "precision: 'float16' }", "precision: 'bfloat16' }", "computes in bf16 on a Consumption-GPU-NC8as-T4"),
        ["sign_in_of_Event_Grid"] = new(
            "modules/functions.bicep", "excludedPaths: ['/runtime/webhooks/blobs', ", "excludedPaths: [",
            "asks for a sign-in at /runtime/webhooks/blobs", "auth"),
        ["dashboard_for_all"] = new(
            "modules/functions.bicep", "excludedPaths: [", "excludedPaths: ['/api/dashboard', ",
            "shows the dashboard to people who have not signed in", "auth"),
        ["plain_http"] = new(
            "modules/serving.bicep", "allowInsecure: false", "allowInsecure: true", "takes plain HTTP"),
        ["key_in_the_template"] = new(
            "modules/serving.bicep", "secretRef: 'worker-key' }", "value: workerKeyUri }", "has no key from the vault"),
        ["key_in_the_job"] = new(
            "modules/training.bicep", "keyVaultUrl: wandbKeyUri", "value: wandbKeyUri", "use-secure-value-for-secure-inputs", "network"),
        ["job_that_is_ended_early"] = new(
            "modules/training.bicep", "replicaTimeout: 604800", "replicaTimeout: 1800", "ends within a day"),
        ["events_of_other_containers"] = new(
            "modules/event-subscription.bicep", "containers/product-images/'", "containers/product-images'",
            "takes the events of other containers", Deployment.Events),
        ["events_for_another_function"] = new(
            "modules/event-subscription.bicep", "Host.Functions.UploadedImage", "Host.Functions.UploadedImages",
            "calls another function", Deployment.Events),
        ["warning_of_the_linter"] = new(
            "modules/budget.bicep", "param email string\n", "param email string\n\n@description('Unused.')\nparam unused string = ''\n",
            "no-unused-params"),
    };

    /// <summary>Makes the mistake in a copy of <c>infra</c>.</summary>
    public void Make(string folder)
    {
        var path = Path.Combine(folder, File);
        var parts = System.IO.File.ReadAllText(path).Split(Right);
        Assert.True(parts.Length == 2, $"'{Right}' stands {parts.Length - 1} times in {File}");
        System.IO.File.WriteAllText(path, string.Join(Wrong, parts));
    }
}

/// <summary>Copies of the Bicep files with a mistake each.</summary>
public sealed class CompiledMutants : IAsyncLifetime
{
    internal Dictionary<string, Deployment> Deployments { get; } = [];

    public async Task InitializeAsync()
    {
        using var bicep = new Bicep();
        foreach (var (name, mutant) in Mutant.All)
            Deployments[name] = await Deployment.CompileAsync(bicep, $"mutants/{name}", [mutant.Option], mutant.Make);
    }

    public Task DisposeAsync() => Task.CompletedTask;
}

/// <summary>The checks find planted mistakes. The snapshots, which would show each, are not asked.</summary>
public sealed class MutationTests(CompiledMutants compiled) : IClassFixture<CompiledMutants>
{
    public static TheoryData<string> Mutants => [.. Mutant.All.Keys];

    [Theory]
    [MemberData(nameof(Mutants))]
    public void A_mistake_is_found(string mutant) => Assert.Contains(
        Check.AllButSnapshots(compiled.Deployments[mutant]),
        finding => finding.Contains(Mutant.All[mutant].Finding, StringComparison.Ordinal));
}
