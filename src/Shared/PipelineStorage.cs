using Azure.Core;
using Azure.Identity;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Azure;
#pragma warning disable IDE0005 // The GPU worker has these two in every file, the app has not.
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
#pragma warning restore IDE0005

namespace FunctionsPipeline.Shared;

/// <summary>
/// The account of the pipeline's blobs, from the settings of one connection as the Functions host reads them: a connection string, or
/// <c>__blobServiceUri</c> with <c>__credential</c> and <c>__clientId</c> for an identity. Compiled into the app and into the GPU worker.
/// </summary>
internal static class PipelineStorage
{
    /// <summary>The connection's name, and the setting that holds its connection string.</summary>
    /// <remarks>Not <c>Storage</c>: the Functions host looks for <c>AzureWebJobs</c> + name first, which is its own account.</remarks>
    public const string Connection = "PipelineStorage";

    // What the Functions host puts before a connection's name at first, and then leaves out.
    private const string HostPrefix = "AzureWebJobs";

    /// <summary>The value of <c>__credential</c> that asks for a managed identity and nothing else.</summary>
    private const string ManagedIdentity = "managedidentity";

    /// <summary>Describes what is wrong with the settings; null when they name an account.</summary>
    public static string? Mistake(IConfiguration configuration)
    {
        if (configuration.GetSection(HostPrefix + Connection).Exists())
            return $"{HostPrefix}{Connection} must not be set: the Functions host would take it in place of {Connection}.";
        var section = configuration.GetSection(Connection);
        if (!string.IsNullOrWhiteSpace(section.Value)) return null;
        if (section["blobServiceUri"] is not { Length: > 0 } uri)
            return $"{Connection} is missing: set {Connection} to a connection string, or {Connection}__blobServiceUri to the blob service "
                + $"of an account that the identity of this machine may use (with {Connection}__credential={ManagedIdentity} and "
                + $"{Connection}__clientId for one managed identity of several).";
        if (!Uri.TryCreate(uri, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            return $"{Connection}__blobServiceUri is '{uri}', must be a URL such as https://account.blob.core.windows.net.";
        if (section["credential"] is { Length: > 0 } credential && !credential.Equals(ManagedIdentity, StringComparison.OrdinalIgnoreCase))
            return $"{Connection}__credential is '{credential}', must be {ManagedIdentity} or be left out.";
        return null;
    }

    /// <summary>Registers <see cref="BlobServiceClient"/>; it is made on first use, and then fails when there is a mistake.</summary>
    public static void AddPipelineStorage(this IServiceCollection services, IConfiguration configuration) =>
        services.AddAzureClients(clients =>
            clients.AddClient<BlobServiceClient, BlobClientOptions>(options => Client(configuration, options)));

    /// <exception cref="InvalidOperationException">The settings name no account.</exception>
    public static BlobServiceClient Client(IConfiguration configuration, BlobClientOptions options)
    {
        if (Mistake(configuration) is { } mistake) throw new InvalidOperationException(mistake);
        var section = configuration.GetSection(Connection);
        return string.IsNullOrWhiteSpace(section.Value)
            ? new BlobServiceClient(new Uri(section["blobServiceUri"]!), Credential(section), options)
            : new BlobServiceClient(section.Value, options);
    }

    /// <summary>The identity that a connection's settings ask for; by default any that this machine offers.</summary>
    public static TokenCredential Credential(IConfigurationSection connection)
    {
        var client = connection["clientId"] is { Length: > 0 } id ? id : null;
        if (string.IsNullOrEmpty(connection["credential"]))
            return new DefaultAzureCredential(new DefaultAzureCredentialOptions { ManagedIdentityClientId = client });
        return new ManagedIdentityCredential(
            client is null ? ManagedIdentityId.SystemAssigned : ManagedIdentityId.FromUserAssignedClientId(client));
    }
}
