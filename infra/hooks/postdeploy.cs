// After the code is there: the subscription that tells the app of uploads. Its key is made by the app's host at its first start.
using System.Text.Json.Nodes;

const string Api = "2025-02-15";

return await Hook.RunAsync(async () =>
{
    var (group, app) = (Hook.Required("AZURE_RESOURCE_GROUP"), Hook.Required("AZURE_FUNCTION_APP_NAME"));
    var (subscription, topic) = (Hook.Required("AZURE_SUBSCRIPTION_ID"), Hook.Required("AZURE_EVENT_TOPIC_NAME"));
    string[] scope = ["--subscription", subscription, "--resource-group", group];

    var key = await Hook.RetryAsync("key of the blob trigger", attempts: 30, async () =>
    {
        var keys = JsonNode.Parse(await Hook.AzAsync(["functionapp", "keys", "list", .. scope, "--name", app]))!;
        return (string?)keys["systemKeys"]?["blobs_extension"]
            ?? throw new HookException("the host has not started with the function UploadedImage");
    });

    // The endpoint of a subscription cannot be changed.
    var resource = $"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.EventGrid/systemTopics/{topic}"
        + "/eventSubscriptions/uploaded-image";
    if (await EndpointAsync(resource) is { } endpoint && !endpoint.Contains($"code={key}", StringComparison.Ordinal))
    {
        Hook.Say("The key of the blob trigger has changed: the subscription is made anew.");
        await Hook.AzAsync("rest", "--method", "delete", "--url", $"{resource}?api-version={Api}");
        await Hook.RetryAsync("deletion of the subscription", attempts: 15, async () =>
            await EndpointAsync(resource) is null ? true : throw new HookException("it is still there"));
    }

    // Event Grid asks the endpoint for its consent, and a host that is starting does not answer.
    await Hook.RetryAsync("event subscription", attempts: 10, () => Hook.AzAsync(
        [
            "deployment", "group", "create", .. scope, "--name", "event-subscription", "--output", "none",
            "--template-file", Path.Combine(Hook.Root, "infra", "modules", "event-subscription.bicep"),
            "--parameters", $"topicName={topic}", $"functionAppName={app}",
            $"storageAccountName={Hook.Required("AZURE_STORAGE_ACCOUNT_NAME")}",
        ]));
    Hook.Say("Uploads to product-images are read.");
});

static async Task<string?> EndpointAsync(string resource)
{
    try
    {
        var answer = await Hook.AzAsync("rest", "--method", "post", "--url", $"{resource}/getFullUrl?api-version={Api}");
        return (string?)JsonNode.Parse(answer)!["endpointUrl"];
    }
    catch (HookException e) when (e.Message.Contains("NotFound", StringComparison.Ordinal))
    {
        return null;
    }
}
