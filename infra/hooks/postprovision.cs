// After the resources are there: is the GPU quota enough, and local settings that reach the storage account by identity.
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

return await Hook.RunAsync(async () =>
{
    await Gpus.CheckQuotaAsync(Hook.Required("AZURE_SUBSCRIPTION_ID"), Hook.Required("AZURE_RESOURCE_GROUP"));
    if (Hook.Setting("CI") is null) WriteLocalSettings();
});

static void WriteLocalSettings()
{
    var folder = Path.Combine(Hook.Root, "src", "FunctionApp");
    var file = Path.Combine(folder, "local.settings.json");
    var sample = Parse(File.ReadAllText(Path.Combine(folder, "local.settings.sample.json")).Replace("{repository}", Hook.Root));
    var account = Hook.Required("AZURE_STORAGE_ACCOUNT_NAME");
    var settings = sample.DeepClone();
    var values = settings["Values"]!.AsObject();
    values.Remove("PipelineStorage");
    values["PipelineStorage__blobServiceUri"] = $"https://{account}.blob.core.windows.net";
    values["PipelineStorage__queueServiceUri"] = $"https://{account}.queue.core.windows.net";
    // The images in the account are read by the deployed app, not by whoever debugs.
    values["AzureWebJobs.ReadForgottenImages.Disabled"] = "true";

    var current = File.Exists(file) ? Parse(File.ReadAllText(file)) : null;
    if (JsonNode.DeepEquals(current, settings)) return;
    // The build makes the file from the sample; anything else in it is a person's.
    if (current is null || JsonNode.DeepEquals(current, sample))
    {
        File.WriteAllText(file, Text(settings));
        Hook.Say(
            $"""
            Wrote {Path.GetRelativePath(Hook.Root, file)}: func start reads and writes {account} as whoever is signed in with az.
              The roles for that are given to: azd env set DEVELOPER_PRINCIPAL_ID "$(az ad signed-in-user show --query id --output tsv)"
            """);
    }
    else
    {
        Hook.Say($"{Path.GetRelativePath(Hook.Root, file)} has settings of your own and stays. With those of Azure it would be:");
        Hook.Say(Text(settings));
    }
}

static JsonNode Parse(string json) =>
    JsonNode.Parse(json, documentOptions: new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!;

static string Text(JsonNode settings)
{
    using var stream = new MemoryStream();
    var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    using (var writer = new Utf8JsonWriter(stream, options)) settings.WriteTo(writer);
    return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
}
