using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Azure;
#pragma warning disable IDE0005 // Global usings supply these two in the GPU worker, but not in the app.
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
#pragma warning restore IDE0005

namespace FunctionsPipeline.Shared;

/// <summary>
/// Client of the pipeline's storage account, from the settings of one connection as the Functions host reads them: a connection string, or
/// <c>__blobServiceUri</c> with <c>__credential</c> and <c>__clientId</c> for an identity. Compiled into the app and into the GPU worker.
/// </summary>
internal static class PipelineStorage
{
    /// <summary>Name of the connection and of the setting that holds its connection string.</summary>
    /// <remarks>
    /// Not named <c>Storage</c>: the Functions host first looks for <c>AzureWebJobs</c> + name, and <c>AzureWebJobsStorage</c> is its own
    /// account.
    /// </remarks>
    public const string Connection = "PipelineStorage";

    // The Functions host looks for a connection's name with this prefix first, then without it.
    private const string HostPrefix = "AzureWebJobs";

    /// <summary>Value of <c>__credential</c> that restricts authentication to a managed identity.</summary>
    private const string ManagedIdentity = "managedidentity";

    /// <summary>Describes the mistake in the settings; null when they are valid.</summary>
    public static string? Mistake(IConfiguration configuration)
    {
        if (configuration.GetSection(HostPrefix + Connection).Exists())
            return $"{HostPrefix}{Connection} must not be set: the Functions host would take it in place of {Connection}.";
        var section = configuration.GetSection(Connection);
        if (!string.IsNullOrWhiteSpace(section.Value)) return null;
        if (section["blobServiceUri"] is not { Length: > 0 } uri)
        {
            return $"{Connection} is missing: set {Connection} to a connection string, or {Connection}__blobServiceUri to the blob service "
                + $"of an account that the identity of this machine may use (with {Connection}__credential={ManagedIdentity} and "
                + $"{Connection}__clientId for one managed identity of several).";
        }
        if (!Uri.TryCreate(uri, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            return $"{Connection}__blobServiceUri is '{uri}', must be a URL such as https://account.blob.core.windows.net.";
        if (section["credential"] is { Length: > 0 } credential && !credential.Equals(ManagedIdentity, StringComparison.OrdinalIgnoreCase))
            return $"{Connection}__credential is '{credential}', must be {ManagedIdentity} or be left out.";
        return null;
    }

    /// <summary>
    /// Registers <see cref="BlobServiceClient"/>. The client is created on first use, which throws when the settings have a mistake.
    /// </summary>
    public static void AddPipelineStorage(this IServiceCollection services, IConfiguration configuration) =>
        services.AddAzureClients(clients =>
            clients.AddClient<BlobServiceClient, BlobClientOptions>(options => Client(configuration, options)));

    /// <exception cref="InvalidOperationException">The settings have a mistake.</exception>
    public static BlobServiceClient Client(IConfiguration configuration, BlobClientOptions options)
    {
        if (Mistake(configuration) is { } mistake) throw new InvalidOperationException(mistake);
        var section = configuration.GetSection(Connection);
        return string.IsNullOrWhiteSpace(section.Value)
            ? new BlobServiceClient(new Uri(section["blobServiceUri"]!), Credential(section), options)
            : new BlobServiceClient(section.Value, options);
    }

    /// <summary>Creates the credential that a connection's settings ask for; <c>DefaultAzureCredential</c> when they name none.</summary>
    public static TokenCredential Credential(IConfigurationSection connection)
    {
        var client = connection["clientId"] is { Length: > 0 } id ? id : null;
        if (string.IsNullOrEmpty(connection["credential"]))
            return new DefaultAzureCredential(new DefaultAzureCredentialOptions { ManagedIdentityClientId = client });
        return new ManagedIdentityCredential(
            client is null ? ManagedIdentityId.SystemAssigned : ManagedIdentityId.FromUserAssignedClientId(client));
    }
}
