using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>Storage: no keys, nothing public, deleted models can be restored, and the containers are those that the code names.</summary>
internal static class StorageCheck
{
    public static IEnumerable<string> Findings(Deployment deployment) => deployment.Options
        .Where(option => option.Snapshot is not null && option.Name != Deployment.Events)
        .SelectMany(option => Findings(option).Select(finding => $"{option.Name}: {finding}"));

    private static IEnumerable<string> Findings(CompiledOption option)
    {
        var accounts = Of(option, "Microsoft.Storage/storageAccounts").ToList();
        foreach (var account in accounts)
        {
            var properties = account["properties"]!;
            foreach (var setting in new[] { "allowSharedKeyAccess", "allowBlobPublicAccess", "allowCrossTenantReplication" })
            {
                if ((bool?)properties[setting] != false) yield return $"{account["name"]} has {setting}";
            }
            if ((bool?)properties["supportsHttpsTrafficOnly"] != true) yield return $"{account["name"]} takes plain HTTP";
            if ((string?)properties["minimumTlsVersion"] is not ("TLS1_2" or "TLS1_3")) yield return $"{account["name"]} takes an old TLS";
            var isClosed = (string?)properties["networkAcls"]?["defaultAction"] == "Deny";
            if (isClosed != (option.Name == "network"))
                yield return $"{account["name"]} {(isClosed ? "is closed" : "is open to all networks")}";
        }

        var containers = Of(option, "Microsoft.Storage/storageAccounts/blobServices/containers").ToList();
        foreach (var container in containers.Where(container => (string?)container["properties"]?["publicAccess"] != "None"))
            yield return $"the container {container["name"]} is public";
        var data = containers.Select(container => ((string)container["name"]!).Split('/'))
            .Where(name => name[0].StartsWith("stdata", StringComparison.Ordinal)).Select(name => name[^1]).ToHashSet();
        string[] expected = [.. Containers.All, "dead-letters"];
        foreach (var name in expected.Except(data)) yield return $"there is no container {name}";
        foreach (var name in data.Except(expected)) yield return $"nothing uses the container {name}";

        var service = Of(option, "Microsoft.Storage/storageAccounts/blobServices").Single(service =>
            ((string)service["name"]!).StartsWith("stdata", StringComparison.Ordinal))["properties"]!;
        foreach (var policy in new[] { "deleteRetentionPolicy", "containerDeleteRetentionPolicy" })
        {
            if ((bool?)service[policy]?["enabled"] != true) yield return $"{policy} of the data account is off";
        }
        if ((bool?)service["isVersioningEnabled"] != true) yield return "the data account keeps no versions";
        if (!Of(option, "Microsoft.Storage/storageAccounts/managementPolicies").Any()) yield return "there is no lifecycle policy";
    }

    private static IEnumerable<JsonObject> Of(CompiledOption option, string type) =>
        option.Resources.Where(resource => (string?)resource["type"] == type);
}
