using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>azure.yaml, the hooks and the Bicep files speak of the same things.</summary>
public sealed partial class SeamTests
{
    // azd sets these itself.
    private static readonly string[] Azds =
        ["AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID", "SERVICE_TRAIN_RESOURCE_EXISTS", "SERVICE_SERVE_RESOURCE_EXISTS"];

    private static readonly string Hooks = Repository.Code("infra/hooks");
    private static readonly string Main = Read("infra/main.bicep");
    private static readonly string Parameters = Read("infra/main.bicepparam");

    [Fact]
    public void The_hooks_name_the_regions_that_Bicep_allows()
    {
        var allowed = Regex.Match(Main, @"@allowed\(\[([^\]]*)\]\)\s+(?:@.*\s+)*param location ").Groups[1].Value;
        Assert.Contains($"\"{string.Join(", ", Quoted().Matches(allowed).Select(region => region.Groups[1].Value))}\"", Hooks);
    }

    [Fact]
    public void The_hooks_know_the_GPUs_of_Bicep()
    {
        var profiles = Regex.Matches(Main + Parameters, "'(Consumption-GPU-[^']+)'").Select(profile => profile.Groups[1].Value).ToHashSet();
        Assert.All(profiles, profile => Assert.Contains($"\"{profile}\"", Hooks, StringComparison.Ordinal));
        // What a person leaves out is the same in both.
        Assert.Contains("'SERVING_PROFILE', 'Consumption-GPU-NC8as-T4'", Parameters, StringComparison.Ordinal);
        Assert.Contains("Setting(\"SERVING_PROFILE\") ?? T4", Hooks, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipeline_is_given_every_variable_that_Bicep_reads() => Assert.Equal(
        Variables().Except(Azds).Order(),
        Regex.Match(Read("azure.yaml"), @"^pipeline:\n((?:  .*\n)+)", RegexOptions.Multiline).Groups[1].Value.Split('\n')
            .Where(line => line.TrimStart().StartsWith('-')).Select(line => line.Trim('-', ' ')).Order());

    [Fact]
    public void What_the_hooks_read_is_azds_or_read_or_written_by_Bicep()
    {
        string[] others = ["CI", "HOOK_PAUSE_SECONDS", "AZD_DEPLOY_TIMEOUT"];
        var known = Azds.Concat(others).Concat(Variables()).Concat(Regex.Matches(Main, @"^output (\w+) ", RegexOptions.Multiline)
            .Select(output => output.Groups[1].Value)).ToHashSet();
        var read = Regex.Matches(Hooks, @"(?:Setting|Required)\(""(\w+)""\)").Select(name => name.Groups[1].Value).ToHashSet();
        Assert.NotEmpty(read);
        Assert.Empty(read.Except(known));
    }

    [Fact]
    public void Postdeploy_deploys_the_subscription_as_its_module_is()
    {
        var module = Read("infra/modules/event-subscription.bicep");
        var expected = Regex.Matches(module, @"^param (\w+) ", RegexOptions.Multiline).Select(parameter => parameter.Groups[1].Value);
        var given = Regex.Matches(Hooks.Split("\"--parameters\"")[1], @"\$""(\w+)=\{").Select(parameter => parameter.Groups[1].Value);
        Assert.Equal(expected.Order(), given.Order());
        var name = Regex.Match(module, @"eventSubscriptions@[^{]*\{[^}]*name: '([^']+)'").Groups[1].Value;
        Assert.Contains($"/eventSubscriptions/{name}\"", Hooks, StringComparison.Ordinal);
    }

    [Fact]
    public void Services_have_no_module_of_their_name() => Assert.All(
        // azd would deploy it in place of the image.
        ["functions", "train", "serve"], service => Assert.False(File.Exists(Path.Combine(Repository.Root, "infra", $"{service}.bicep"))));

    private static IEnumerable<string> Variables() =>
        Regex.Matches(Parameters, @"readEnvironmentVariable\('(\w+)'").Select(variable => variable.Groups[1].Value);

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    [GeneratedRegex("'([^']+)'")]
    private static partial Regex Quoted();
}
