using System.Text.Json.Nodes;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>GPUs: job and app use a profile of their environment, take all of its node, and compute in a type that its GPU has.</summary>
internal static class GpuCheck
{
    private static readonly Dictionary<string, (int Cpu, string Memory, bool HasBf16)> Nodes = new()
    {
        ["Consumption-GPU-NC24-A100"] = (24, "220Gi", true),
        ["Consumption-GPU-NC8as-T4"] = (8, "56Gi", false),
    };

    public static IEnumerable<string> Findings(Deployment deployment) => deployment.Options.SelectMany(option =>
    {
        var profiles = option.Resources.Where(resource => (string?)resource["type"] == "Microsoft.App/managedEnvironments")
            .SelectMany(environment => environment["properties"]!["workloadProfiles"]!.AsArray())
            .ToDictionary(profile => (string)profile!["name"]!, profile => (string)profile!["workloadProfileType"]!);
        return option.Resources.Where(resource => (string?)resource["type"] is "Microsoft.App/jobs" or "Microsoft.App/containerApps")
            .SelectMany(resource => Findings(resource["properties"]!, profiles)
                .Select(finding => $"{option.Name}: {resource["name"]} {finding}"));
    });

    private static IEnumerable<string> Findings(JsonNode properties, Dictionary<string, string> profiles)
    {
        var name = (string?)properties["workloadProfileName"] ?? "Consumption";
        if (!profiles.TryGetValue(name, out var profile) || !Nodes.TryGetValue(profile, out var node))
        {
            yield return $"uses the profile {name}, which has no GPU";
            yield break;
        }
        var container = properties["template"]!["containers"]![0]!;
        var size = ((int?)container["resources"]?["cpu"], (string?)container["resources"]?["memory"]);
        if (size != (node.Cpu, node.Memory)) yield return $"takes {size} of a {profile}";
        if (!node.HasBf16 && container["args"]!.AsArray().Any(argument => (string?)argument == "bfloat16"))
            yield return $"computes in bf16 on a {profile}";
    }
}
