using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;

namespace FunctionsPipeline.Infra.Tests.Checks;

/// <summary>Exposure: nothing answers in plain HTTP or by a password, keys come from the vault, and jobs end as they should.</summary>
internal static partial class ExposureCheck
{
    public static IEnumerable<string> Findings(Deployment deployment) => deployment.Resources.SelectMany(found =>
        Findings(found.Resource, found.Option).Select(finding => $"{found.Option}: {found.Resource["name"]}: {finding}"));

    private static IEnumerable<string> Findings(JsonObject resource, string option)
    {
        var properties = resource["properties"];
        return Identity(resource).Concat((string?)resource["type"] switch
        {
            "Microsoft.App/containerApps" => Serving(properties!),
            "Microsoft.App/jobs" => Training(properties!),
            "Microsoft.App/managedEnvironments" => Missing(
                ("takes requests from outside the network", option != "network" || Is(properties?["vnetConfiguration"]?["internal"])),
                ("sends logs with a key", (string?)properties?["appLogsConfiguration"]?["destination"] == "azure-monitor")),
            "Microsoft.Web/sites" => Missing(("takes plain HTTP", Is(properties?["httpsOnly"]))),
            "Microsoft.Web/sites/config" when ((string)resource["name"]!).EndsWith("/authsettingsV2", StringComparison.Ordinal) =>
                SignIn(properties!["globalValidation"]!),
            "Microsoft.Web/sites/basicPublishingCredentialsPolicies" => Missing(("takes passwords", IsNot(properties?["allow"]))),
            "Microsoft.ContainerRegistry/registries" => Missing(
                ("takes a password", IsNot(properties?["adminUserEnabled"])),
                ("can be read by anybody", IsNot(properties?["anonymousPullEnabled"]))),
            "Microsoft.Insights/components" => Missing(("takes telemetry without an identity", Is(properties?["DisableLocalAuth"]))),
            "Microsoft.OperationalInsights/workspaces" => Missing(("takes a key", Is(properties?["features"]?["disableLocalAuth"]))),
            "Microsoft.KeyVault/vaults" => Missing(("has access policies", Is(properties?["enableRbacAuthorization"]))),
            "Microsoft.EventGrid/systemTopics/eventSubscriptions" => Uploads(properties!),
            _ => [],
        });
    }

    /// <summary>Compares the identity that a resource runs as, and that its values name, with the one that is its own.</summary>
    private static IEnumerable<string> Identity(JsonObject resource)
    {
        var own = (string?)resource["type"] switch
        {
            "Microsoft.App/containerApps" => "id-serve-",
            "Microsoft.App/jobs" => "id-train-",
            "Microsoft.Web/sites" or "Microsoft.Web/sites/config" => "id-app-",
            _ => null,
        };
        var named = IdentityName().Matches(resource.ToJsonString()).Select(match => match.Value).ToHashSet();
        return Missing(("runs as the identity of another", own is null || named.All(name => name == own)));
    }

    // Without a key, but for people: a browser can sign in, and the page's requests then are signed in, too.
    private const string Dashboard = "/api/dashboard";

    private static IEnumerable<string> SignIn(JsonNode validation)
    {
        var snapshot = File.ReadAllText(Path.Combine(Repository.Root, "tests/FunctionApp.Tests/functions.snapshot.txt"));
        var excluded = validation["excludedPaths"]!.AsArray().Select(path => (string)path!).ToList();
        var open = AnonymousRoute().Matches(snapshot).Select(match => $"/api/{match.Groups[1].Value}")
            .Where(route => !route.StartsWith(Dashboard, StringComparison.Ordinal)).Append("/runtime/webhooks/blobs");
        return Missing(
            ("lets people in who have not signed in", Is(validation["requireAuthentication"])),
            ("shows the dashboard to people who have not signed in",
                !excluded.Any(path => path.StartsWith(Dashboard, StringComparison.Ordinal))))
            .Concat(open.Except(excluded).Select(path => $"asks for a sign-in at {path}"));
    }

    private static IEnumerable<string> Serving(JsonNode properties)
    {
        var (ingress, container) = (properties["configuration"]!["ingress"]!, properties["template"]!["containers"]![0]!);
        var key = container["env"]!.AsArray().FirstOrDefault(variable => (string?)variable!["name"] == "Worker__Key")?["secretRef"];
        var secret = properties["configuration"]!["secrets"]?.AsArray().FirstOrDefault(secret => (string?)secret!["name"] == (string?)key);
        var port = (int?)ingress["targetPort"];
        return Missing(
            ("takes plain HTTP", IsNot(ingress["allowInsecure"])),
            ("has no key from the vault", IsFromVault(secret)),
            ("costs while it is idle", (int?)properties["template"]!["scale"]!["minReplicas"] == 0),
            ("listens on another port than the ingress asks",
                container["args"]!.AsArray().Select(argument => (string?)argument).Contains($"{port}")),
            ("probes another port", (container["probes"]?.AsArray() ?? []).All(probe => (int?)probe!["httpGet"]!["port"] == port)));
    }

    private static IEnumerable<string> Training(JsonNode properties)
    {
        var configuration = properties["configuration"]!;
        return Missing(
            ("has secrets that are not from the vault", (configuration["secrets"]?.AsArray() ?? []).All(IsFromVault)),
            ("is started again by the platform", (int?)configuration["replicaRetryLimit"] == 0),
            ("ends within a day", (int?)configuration["replicaTimeout"] > 86400),
            ("runs more than once", (int?)configuration["manualTriggerConfig"]!["parallelism"] == 1));
    }

    private static IEnumerable<string> Uploads(JsonNode properties) => Missing(
        ("takes other events than uploads",
            properties["filter"]!["includedEventTypes"]!.ToJsonString() == """["Microsoft.Storage.BlobCreated"]"""),
        ("takes the events of other containers",
            (string?)properties["filter"]!["subjectBeginsWith"] == $"/blobServices/default/containers/{Containers.ProductImages}/"),
        ("calls another function", ((string?)properties["destination"]!["properties"]!["endpointUrl"])!
            .Contains($"functionName=Host.Functions.{nameof(UploadedImage)}&", StringComparison.Ordinal)),
        ("loses events", "dead-letters" == (string?)properties["deadLetterWithResourceIdentity"]?["deadLetterDestination"]?
            ["properties"]?["blobContainerName"]));

    private static IEnumerable<string> Missing(params (string Finding, bool Holds)[] rules) =>
        rules.Where(rule => !rule.Holds).Select(rule => rule.Finding);

    [GeneratedRegex("id-(app|train|serve)-")]
    private static partial Regex IdentityName();

    [GeneratedRegex(@"authLevel=Anonymous methods=\S+ route=([^;\s]+)")]
    private static partial Regex AnonymousRoute();

    private static bool IsFromVault(JsonNode? secret) => secret?["keyVaultUrl"] is not null && secret["value"] is null;

    private static bool Is(JsonNode? value) => (bool?)value == true;

    private static bool IsNot(JsonNode? value) => (bool?)value == false;
}
