using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>Roles: every role assignment is a row of the table in <c>infra/README.md</c>, and every row an assignment.</summary>
internal static partial class RoleCheck
{
    // The options that have the rows of the column "when"; all but the module of the hook have the rows without it.
    private static readonly Dictionary<string, string> OptionsWith = new()
    {
        ["`DEVELOPER_PRINCIPAL_ID`"] = "auth",
        ["`DURABLE_TASK_SCHEDULER`"] = "dts",
        ["`WANDB_API_KEY`"] = "network",
    };

    private sealed record Grant(string Who, string Role, string Scope);

    public static IEnumerable<string> Findings(Deployment deployment)
    {
        var page = File.ReadAllText(Path.Combine(deployment.Folder, "README.md"));
        var roles = Role().Matches(page).ToDictionary(row => row.Groups["id"].Value, row => row.Groups["role"].Value);
        var rows = GrantRow().Matches(page)
            .Select(row => (When: row.Groups["when"].Value.Trim(), Grant: new Grant(
                row.Groups["who"].Value, row.Groups["role"].Value,
                row.Groups["scope"].Value.Trim().Replace("`", "", StringComparison.Ordinal))))
            .Where(row => roles.ContainsValue(row.Grant.Role)).ToList();
        foreach (var option in deployment.Options.Where(option => option.Snapshot is not null))
        {
            var reviewed = rows.Where(row => row.When.Length == 0
                ? option.Name != Deployment.Events
                : OptionsWith[row.When] == option.Name).Select(row => row.Grant).ToHashSet();
            var made = option.Resources.Where(resource => (string?)resource["type"] == "Microsoft.Authorization/roleAssignments")
                .Select(resource => Read(resource, roles)).ToHashSet();
            foreach (var grant in made.Except(reviewed)) yield return $"{option.Name}: {grant} is not in the table of infra/README.md";
            foreach (var grant in reviewed.Except(made)) yield return $"{option.Name}: {grant} is in the table of infra/README.md only";
        }
    }

    private static Grant Read(JsonObject resource, Dictionary<string, string> roles)
    {
        var role = ((string)resource["properties"]!["roleDefinitionId"]!).Split('/')[^1];
        return new Grant(
            Who((string)resource["properties"]!["principalId"]!), roles.GetValueOrDefault(role, role), Scope((string)resource["id"]!));
    }

    private static string Who(string principal) => Identity().Match(principal) switch
    {
        { Success: true } match => match.Groups[1].Value,
        _ when principal.Contains("/systemTopics/", StringComparison.Ordinal) => "topic",
        _ when Guid.TryParse(principal, out _) => "developer",
        _ => principal,
    };

    /// <summary>Names the resource that an assignment belongs to, as the table does.</summary>
    private static string Scope(string id)
    {
        var resource = id[..id.LastIndexOf("/providers/Microsoft.Authorization/", StringComparison.Ordinal)];
        var parts = resource[(resource.LastIndexOf("/providers/", StringComparison.Ordinal) + "/providers/".Length)..].Split('/');
        var account = parts[2].StartsWith("ststate", StringComparison.Ordinal) ? "state account" : "data account";
        return (string.Join('/', parts.Where((_, i) => i == 0 || i % 2 == 1)), parts[^1]) switch
        {
            ("Microsoft.Storage/storageAccounts", _) => account,
            ("Microsoft.Storage/storageAccounts/blobServices/containers", var name) => $"{account}, container {name}",
            ("Microsoft.KeyVault/vaults", _) => "vault",
            ("Microsoft.KeyVault/vaults/secrets", var name) => $"vault, secret {name}",
            ("Microsoft.ContainerRegistry/registries", _) => "registry",
            ("Microsoft.Insights/components", _) => "Application Insights",
            ("Microsoft.App/jobs", _) => "training job",
            ("Microsoft.DurableTask/schedulers/taskHubs", _) => "task hub",
            _ => resource,
        };
    }

    [GeneratedRegex(@"userAssignedIdentities/id-(\w+)-")]
    private static partial Regex Identity();

    // | Storage Blob Data Owner | `b7e6dc6d-…` |
    [GeneratedRegex(@"^\| (?<role>[^|]+) \| `(?<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})` \|", RegexOptions.Multiline)]
    private static partial Regex Role();

    // | who | role | scope | why | when |
    [GeneratedRegex(@"^\| (?<who>\w+) \| (?<role>[^|]+) \| (?<scope>[^|]+) \|[^|]+\|(?<when>[^|]*)\|$", RegexOptions.Multiline)]
    private static partial Regex GrantRow();
}
