using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>The hooks of azd do what they are for, against fakes of az and azd.</summary>
public sealed class HookTests(BuiltHooks hooks) : IClassFixture<BuiltHooks>, IDisposable
{
    private const string ProfileTypes = "availableManagedEnvironmentsWorkloadProfileTypes";
    private const string Keys = "functionapp keys list";
    private const string Environment = "/subscriptions/s1/resourceGroups/rg-dev/providers/Microsoft.App/managedEnvironments/cae-1";

    private static readonly Command A100AndT4 = Answer(
        """{"value":[{"name":"Consumption"},{"name":"Consumption-GPU-NC24-A100"},{"name":"Consumption-GPU-NC8as-T4"}]}""");
    private static readonly Command Environments = Answer($$"""{"value":[{"id":"{{Environment}}"}]}""");
    private static readonly Command Key = Answer("""{"systemKeys":{"blobs_extension":"k2"}}""");
    private static readonly Command NotFound = Failure("ERROR: Not Found({\"error\":{\"code\":\"ResourceNotFound\"}})");

    private readonly FakeTools _tools = new("az", "azd");
    private readonly TemporaryFolder _project = new();

    private string LocalSettings => Path.Combine(_project.Path, "src", "FunctionApp", "local.settings.json");

    public void Dispose()
    {
        _tools.Dispose();
        _project.Dispose();
    }

    [Fact]
    public async Task Preprovision_on_the_first_run_makes_a_key_and_names_the_regions()
    {
        _tools.On("azd env set WORKER_KEY", Answer(""));
        var result = await RunAsync("preprovision", ("AZURE_ENV_NAME", "dev"));
        Assert.Contains("swedencentral", result.Succeeded(), StringComparison.Ordinal);
        Assert.Matches("^azd env set WORKER_KEY [0-9a-f]{64} --environment dev$", Assert.Single(_tools.Calls));
    }

    [Fact]
    public async Task Preprovision_in_a_region_with_the_GPUs_goes_on_and_keeps_the_key()
    {
        _tools.On(ProfileTypes, A100AndT4);
        (await RunAsync("preprovision", Provisioned(("AZURE_RESOURCE_GROUP", "")))).Succeeded();
        Assert.Contains(
            $"/subscriptions/s1/providers/Microsoft.App/locations/swedencentral/{ProfileTypes}?", Assert.Single(_tools.Calls),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Consumption-GPU-NC24-A100")]
    [InlineData("Consumption-GPU-NC8as-T4")]
    public async Task Preprovision_in_a_region_without_a_GPU_stops_and_says_what_to_do(string missing)
    {
        _tools.On(ProfileTypes, A100AndT4 with { Output = A100AndT4.Output.Replace(missing, "D4", StringComparison.Ordinal) });
        var result = await RunAsync("preprovision", Provisioned());
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"swedencentral does not offer {missing} to this subscription", result.Error, StringComparison.Ordinal);
        Assert.Contains("azd env set AZURE_LOCATION", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1, "")]
    [InlineData(0, 1, "Ask for \"Managed Environment Consumption NCA100 GPUs\" = 1")]
    [InlineData(1, 0, "Ask for \"Managed Environment Consumption T4 GPUs\" = 1")]
    public async Task Preprovision_of_an_environment_that_is_there_reads_its_quota(int a100, int t4, string warning)
    {
        _tools.On(ProfileTypes, A100AndT4).On("/usages", Usages(a100, t4)).On("managedEnvironments?", Environments);
        var output = (await RunAsync("preprovision", Provisioned())).Succeeded();
        Assert.Equal(warning.Length > 0, output.Contains("WARNING", StringComparison.Ordinal));
        Assert.Contains(warning, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Preprovision_counts_what_training_and_serving_need_of_one_profile()
    {
        _tools.On(ProfileTypes, A100AndT4).On("/usages", Usages(2, 0)).On("managedEnvironments?", Environments);
        var output = await RunAsync(
            "preprovision", Provisioned(("SERVING_PROFILE", "Consumption-GPU-NC24-A100"), ("SERVING_REPLICAS", "2")));
        Assert.Contains("may use 2 GPUs of Consumption-GPU-NC24-A100, and 3 are needed", output.Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Preprovision_refuses_a_number_that_is_none()
    {
        _tools.On(ProfileTypes, A100AndT4);
        var result = await RunAsync("preprovision", Provisioned(("SERVING_REPLICAS", "two")));
        Assert.Equal((1, "SERVING_REPLICAS is no number: two\n"), (result.ExitCode, result.Error));
    }

    [Fact]
    public async Task Preprovision_in_a_pipeline_makes_no_key()
    {
        var result = await RunAsync("preprovision", Provisioned(("WORKER_KEY", ""), ("CI", "true")));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("WORKER_KEY is not set", result.Error, StringComparison.Ordinal);
        Assert.Empty(_tools.Calls);
    }

    [Fact]
    public async Task Without_az_a_hook_says_that_it_is_missing()
    {
        File.Delete(Path.Combine(_tools.Folder, "az"));
        var result = await RunAsync("preprovision", Provisioned());
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("az is not installed", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_az_refuses_is_shown()
    {
        _tools.On(ProfileTypes, Failure("Please run 'az login' to setup account."));
        var result = await RunAsync("preprovision", Provisioned());
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("az rest: Please run 'az login' to setup account.\n", result.Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Postprovision_writes_local_settings_without_a_secret(bool isBuilt)
    {
        var sample = Sample();
        if (isBuilt) File.WriteAllText(LocalSettings, sample.Replace("{repository}", _project.Path, StringComparison.Ordinal) + "\n");
        (await PostprovisionAsync()).Succeeded();
        var values = JsonNode.Parse(File.ReadAllText(LocalSettings))!["Values"]!.AsObject();
        Assert.Equal("https://stdata1.blob.core.windows.net", (string?)values["PipelineStorage__blobServiceUri"]);
        Assert.Equal("https://stdata1.queue.core.windows.net", (string?)values["PipelineStorage__queueServiceUri"]);
        Assert.Equal("UseDevelopmentStorage=true", (string?)values["AzureWebJobsStorage"]);
        Assert.DoesNotContain("PipelineStorage", values.Select(value => value.Key));
        Assert.DoesNotContain(values, value => value.Key.Contains("Key", StringComparison.OrdinalIgnoreCase));
        // Names of functions are the app's.
        var disabled = values.Select(value => Regex.Match(value.Key, @"^AzureWebJobs\.(\w+)\.Disabled$")).Single(match => match.Success);
        Assert.Contains($"Function(nameof({disabled.Groups[1].Value}))", Repository.Code("src/FunctionApp"), StringComparison.Ordinal);

        var written = File.GetLastWriteTimeUtc(LocalSettings);
        (await PostprovisionAsync()).Succeeded();
        Assert.Equal(written, File.GetLastWriteTimeUtc(LocalSettings));
    }

    [Fact]
    public async Task Postprovision_leaves_settings_of_a_persons_own_and_prints_those_of_Azure()
    {
        Sample();
        const string Own = """{ "Values": { "HF_TOKEN": "mine" } }""";
        File.WriteAllText(LocalSettings, Own);
        var output = (await PostprovisionAsync()).Succeeded();
        Assert.Equal(Own, File.ReadAllText(LocalSettings));
        Assert.Contains("https://stdata1.blob.core.windows.net", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Postprovision_says_what_quota_to_ask_for()
    {
        Sample();
        Assert.Contains("NCA100 GPUs\" = 1", (await PostprovisionAsync(a100: 0)).Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Postdeploy_waits_for_the_key_and_deploys_the_subscription()
    {
        _tools.On(Keys, Failure("ERROR: Operation returned ServiceUnavailable"), Answer("""{"systemKeys":{}}"""), Key)
            .On("getFullUrl", NotFound).On("deployment group create", Failure("ERROR: Webhook validation handshake failed"), Answer(""));
        // As azd runs it, also in a pipeline.
        var folder = Path.Combine(Repository.Root, "infra", "hooks");
        var variables = Variables(Provisioned(("CI", "true")));
        (await Command.RunAsync("dotnet", ["run", Path.Combine(folder, "postdeploy.cs")], folder, variables)).Succeeded();
        Assert.Equal(3, _tools.Calls.Count(call => call.Contains(Keys, StringComparison.Ordinal)));
        var deployments = _tools.Calls.Where(call => call.StartsWith("az deployment", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, deployments.Count);
        Assert.EndsWith(
            $"--template-file {Path.Combine(Repository.Root, "infra", "modules", "event-subscription.bicep")} "
                + "--parameters topicName=evgt-1 functionAppName=func-1 storageAccountName=stdata1",
            deployments[0], StringComparison.Ordinal);
        Assert.Contains("--subscription s1 --resource-group rg-dev", deployments[0], StringComparison.Ordinal);
        Assert.DoesNotContain(_tools.Calls, call => call.Contains("--method delete", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("k1", true)]
    [InlineData("k2", false)]
    public async Task Postdeploy_makes_the_subscription_anew_when_its_key_has_changed(string old, bool isNew)
    {
        var url = Answer($$"""{"endpointUrl":"https://func-1/runtime/webhooks/blobs?functionName=UploadedImage&code={{old}}"}""");
        _tools.On(Keys, Key).On("getFullUrl", url, url, NotFound)
            .On("--method delete", Answer("")).On("deployment group create", Answer(""));
        (await RunAsync("postdeploy", Provisioned())).Succeeded();
        var calls = _tools.Calls.Select(call => call.Split(' ') switch
        {
            [_, "rest", _, var method, ..] => method,
            [_, var command, ..] => command,
            _ => call,
        });
        string[] expected = isNew
            ? ["functionapp", "post", "delete", "post", "post", "deployment"]
            : ["functionapp", "post", "deployment"];
        Assert.Equal(expected, calls);
    }

    [Fact]
    public async Task Postdeploy_does_not_wait_for_a_right_that_is_missing()
    {
        _tools.On(Keys, Failure("ERROR: (AuthorizationFailed) The client does not have authorization"), Key);
        var result = await RunAsync("postdeploy", Provisioned());
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("AuthorizationFailed", result.Error, StringComparison.Ordinal);
        Assert.Single(_tools.Calls);
    }

    [Fact]
    public async Task A_hook_that_azd_did_not_start_says_what_it_lacks()
    {
        var result = await RunAsync("postdeploy");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("AZURE_RESOURCE_GROUP is not set", result.Error, StringComparison.Ordinal);
    }

    private static Command Answer(string output) => new(0, output, "");

    private static Command Failure(string error) => new(1, "", error);

    private static Command Usages(int a100, int t4) => Answer(
        $$"""
        {"value":[{"name":{"value":"ManagedEnvironmentConsumptionCores"},"currentValue":0,"limit":100},
        {"name":{"value":"ManagedEnvironmentConsumptionNCA100Gpus"},"currentValue":0,"limit":{{a100}}},
        {"name":{"value":"ManagedEnvironmentConsumptionT4Gpus"},"currentValue":0,"limit":{{t4}}}]}
        """);

    private static (string, string)[] Provisioned(params (string, string)[] changes) =>
    [
        ("AZURE_ENV_NAME", "dev"), ("AZURE_SUBSCRIPTION_ID", "s1"), ("AZURE_LOCATION", "swedencentral"), ("WORKER_KEY", "a key"),
        ("AZURE_RESOURCE_GROUP", "rg-dev"), ("AZURE_FUNCTION_APP_NAME", "func-1"), ("AZURE_EVENT_TOPIC_NAME", "evgt-1"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "stdata1"), .. changes,
    ];

    private string Sample()
    {
        var sample = File.ReadAllText(Path.Combine(Repository.Root, "src", "FunctionApp", "local.settings.sample.json"));
        _project.Write("azure.yaml", "name: test");
        _project.Write("src/FunctionApp/local.settings.sample.json", sample);
        return sample;
    }

    private Task<Command> PostprovisionAsync(int a100 = 1)
    {
        _tools.On("/usages", Usages(a100, 1)).On("managedEnvironments?", Environments);
        return RunAsync("postprovision", Provisioned());
    }

    private Task<Command> RunAsync(string hook, params (string, string)[] environment) =>
        Command.RunAsync("dotnet", [hooks.Path(hook)], _project.Path, Variables(environment));

    private Dictionary<string, string> Variables((string Name, string Value)[] environment)
    {
        var variables = new Dictionary<string, string>
        {
            // bash and dotnet are there, az is not.
            ["PATH"] = $"{_tools.Folder}:{System.Environment.GetEnvironmentVariable("PATH")}",
            ["HOME"] = System.Environment.GetEnvironmentVariable("HOME")!,
            ["HOOK_PAUSE_SECONDS"] = "0",
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
            ["UseSharedCompilation"] = "false",
        };
        foreach (var (name, value) in environment) variables[name] = value;
        return variables;
    }
}

/// <summary>The hooks, compiled once for all tests of them.</summary>
public sealed class BuiltHooks : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Path of a compiled hook.</summary>
    public string Path(string hook) => System.IO.Path.Combine(_folder.Path, hook, $"FunctionsPipeline.{hook}.cs.dll");

    public Task InitializeAsync() => Task.WhenAll(BuildAsync("preprovision"), BuildAsync("postprovision"), BuildAsync("postdeploy"));

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
    }

    private async Task BuildAsync(string hook)
    {
        string[] build =
        [
            "build", System.IO.Path.Combine(Repository.Root, "infra", "hooks", $"{hook}.cs"),
            "--output", System.IO.Path.Combine(_folder.Path, hook),
        ];
        var output = (await Command.RunAsync("dotnet", build, environment: Command.BuildEnvironment())).Succeeded();
        // A warning would stand before what the hook has to say.
        Assert.DoesNotContain(": warning ", output, StringComparison.Ordinal);
    }
}
