// Before anything is created: are there GPUs in the region, and is there a key for the serving worker?
using System.Security.Cryptography;

return await Hook.RunAsync(async () =>
{
    await MakeWorkerKeyAsync();

    // On the very first run azd asks for both after this hook; infra/main.bicep refuses a region without A100 GPUs.
    if (Hook.Setting("AZURE_SUBSCRIPTION_ID") is not { } subscription || Hook.Setting("AZURE_LOCATION") is not { } region)
    {
        Hook.Say($"Regions with A100 GPUs: {Gpus.Regions}.");
        return;
    }
    var missing = await Gpus.MissingAsync(subscription, region);
    if (missing.Count > 0)
    {
        throw new HookException(
            $"""
            {region} does not offer {string.Join(" and ", missing)} to this subscription.
              Choose another region: azd env set AZURE_LOCATION swedencentral (with A100 GPUs: {Gpus.Regions}),
              or another GPU for predictions: azd env set SERVING_PROFILE Consumption-GPU-NC24-A100
            """);
    }
    if (Hook.Setting("AZURE_RESOURCE_GROUP") is { } group) await Gpus.CheckQuotaAsync(subscription, group);
    if (Hook.Setting("AZD_DEPLOY_TIMEOUT") is null)
        Hook.Say("azd gives the worker's image 20 minutes to build, and its first build may take longer: export AZD_DEPLOY_TIMEOUT=3600");
});

static async Task MakeWorkerKeyAsync()
{
    if (Hook.Setting("WORKER_KEY") is not null) return;
    // A pipeline starts without the environment: a new key every time would lock the app out until it reads the vault again.
    if (Hook.Setting("CI") is not null)
        throw new HookException("WORKER_KEY is not set: it is a secret of the pipeline, with the value of azd env get-value WORKER_KEY.");
    var key = RandomNumberGenerator.GetHexString(64, lowercase: true);
    await Hook.RunAsync("azd", "env", "set", "WORKER_KEY", key, "--environment", Hook.Required("AZURE_ENV_NAME"));
    Hook.Say("Made WORKER_KEY, the key that the serving worker asks for, in the azd environment.");
}
