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
    public static async Task ConnectAsync(IConfiguration settings, CancellationToken cancellationToken)
    {
        // Settings of an identity, with an account name or service URLs, are left to the extensions.
        if (settings.GetSection(Setting).GetChildren().Any()) return;
        if (settings[Setting] is not { Length: > 0 } connection)
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
            throw new InvalidOperationException(
                $"The storage account {client.Uri} of the setting {Setting} is not reachable: {LastAttempt(e).Message.Split('\n')[0]}", e);
        }
    }

    /// <summary>Last failure of an Azure client, which throws an <see cref="AggregateException"/> of all its attempts.</summary>
    public static Exception LastAttempt(Exception exception) =>
        exception is AggregateException { InnerExceptions: [.., var last] } ? last : exception;
}
