using System.Text.Json.Nodes;

/// <summary>GPU profiles that the deployment uses, and the environment's quota for them.</summary>
internal static class Gpus
{
    /// <summary>API version of Microsoft.App.</summary>
    public const string ApiVersion = "2026-07-01";

    /// <summary>Regions with A100 GPUs, as infra/main.bicep allows them.</summary>
    public const string Regions =
        "australiaeast, brazilsouth, canadacentral, eastus, italynorth, swedencentral, uksouth, westus, westus3";

    private const string A100 = "Consumption-GPU-NC24-A100";
    private const string T4 = "Consumption-GPU-NC8as-T4";

    /// <summary>GPUs needed of each profile: one to train, and those of the serving replicas.</summary>
    public static IReadOnlyDictionary<string, int> Needed()
    {
        var needed = new Dictionary<string, int> { [A100] = 1 };
        var serving = Hook.Setting("SERVING_PROFILE") ?? T4;
        var replicas = Hook.Setting("SERVING_REPLICAS") ?? "1";
        needed[serving] = needed.GetValueOrDefault(serving)
            + (int.TryParse(replicas, out var count) ? count : throw new HookException($"SERVING_REPLICAS is no number: {replicas}"));
        return needed;
    }

    /// <summary>Names the profiles that a region does not offer.</summary>
    public static async Task<IReadOnlyList<string>> MissingAsync(string subscription, string region)
    {
        var profiles = await GetAsync(
            $"/subscriptions/{subscription}/providers/Microsoft.App/locations/{region}/availableManagedEnvironmentsWorkloadProfileTypes");
        var offered = profiles.Select(profile => (string?)profile!["name"]).ToHashSet();
        return [.. Needed().Keys.Where(profile => !offered.Contains(profile))];
    }

    /// <summary>
    /// Compares the quota of the resource group's Container Apps environment with what is needed, and prints what to ask for. A quota of
    /// serverless GPUs belongs to one environment: the subscription's usages have none, and before the environment there is none.
    /// </summary>
    public static async Task CheckQuotaAsync(string subscription, string group)
    {
        var environments = await GetAsync(
            $"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App/managedEnvironments");
        foreach (var id in environments.Select(environment => (string)environment!["id"]!))
        {
            var usages = (await GetAsync($"{id}/usages")).ToDictionary(usage => (string)usage!["name"]!["value"]!, usage => usage!);
            foreach (var (profile, needed) in Needed())
            {
                var model = profile == A100 ? "NCA100" : "T4";
                var limit = usages.TryGetValue($"ManagedEnvironmentConsumption{model}Gpus", out var usage) ? (double)usage["limit"]! : 0;
                if (limit >= needed) continue;
                Hook.Say(
                    $"""
                    WARNING: {id.Split('/')[^1]} may use {limit:0} GPUs of {profile}, and {needed} are needed.
                      Ask for "Managed Environment Consumption {model} GPUs" = {needed} on the Quota page of the environment:
                      https://portal.azure.com/#resource{id}
                      (https://learn.microsoft.com/azure/container-apps/quota-requests). Until then its jobs or replicas do not start.
                    """);
            }
        }
    }

    private static async Task<JsonArray> GetAsync(string path)
    {
        var answer = await Hook.AzAsync("rest", "--method", "get", "--url", $"{path}?api-version={ApiVersion}");
        return JsonNode.Parse(answer)!["value"]!.AsArray();
    }
}
