using Azure;
using Azure.Core;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.LocalHost;

/// <summary>Storage account that holds the host's durable state.</summary>
internal static class HostStorage
{
    private const string Setting = "AzureWebJobsStorage";

    /// <summary>
    /// Checks that the account is reachable. Without this check, the extensions would retry for a minute and report neither setting nor
    /// URL.
    /// </summary>
    /// <exception cref="InvalidOperationException">The account is unreachable, or its setting is missing or invalid.</exception>
    public static async Task ConnectAsync(IReadOnlyDictionary<string, string?> settings, CancellationToken cancellationToken)
    {
        var given = settings.ToDictionary(setting => setting.Key.Replace("__", ":", StringComparison.Ordinal), setting => setting.Value);
        var all = new ConfigurationBuilder().AddEnvironmentVariables().AddInMemoryCollection(given).Build();
        // Settings of an identity, with an account name or service URLs, are left to the extensions.
        if (all.GetSection(Setting).GetChildren().Any()) return;
        if (all[Setting] is not { Length: > 0 } connection)
            throw new InvalidOperationException($"The setting {Setting} is missing: the connection string of a storage account.");
        BlobServiceClient client;
        try
        {
            client = new BlobServiceClient(connection, new BlobClientOptions { Retry = { MaxRetries = 2, Mode = RetryMode.Fixed } });
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"The setting {Setting} is no connection string: {e.Message}", e);
        }
        try
        {
            await client.GetPropertiesAsync(cancellationToken);
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            var cause = e is AggregateException tries ? tries.InnerExceptions[^1] : e;
            throw new InvalidOperationException(
                $"The storage account {client.Uri} of the setting {Setting} is not reachable: {cause.Message.Split('\n')[0]}", e);
        }
    }
}
