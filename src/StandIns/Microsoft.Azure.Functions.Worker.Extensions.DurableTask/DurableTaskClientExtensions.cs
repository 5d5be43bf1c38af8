using Microsoft.Azure.Functions.Worker.Http;
using Microsoft.DurableTask.Client;

namespace Microsoft.Azure.Functions.Worker;

/// <summary>URLs of the durable HTTP management API.</summary>
public static class DurableTaskClientExtensions
{
    /// <summary>
    /// The management URLs of an instance, on the host that <paramref name="request"/> came to. Without a request the published
    /// package asks the client that the Functions host bound; a client of another kind, such as a local host's, has no base URL.
    /// </summary>
    public static HttpManagementPayload CreateHttpManagementPayload(this DurableTaskClient client, string instanceId, HttpRequestData? request = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(instanceId);
        if (request is null)
        {
            throw new InvalidOperationException("Failed to create HTTP management payload as base URL is null. Either use Functions " +
                "bindings or provide an HTTP request to create the HttpPayload.");
        }
        var instance = $"{request.Url.GetLeftPart(UriPartial.Authority)}/runtime/webhooks/durabletask/instances/{Uri.EscapeDataString(instanceId)}";
        return new HttpManagementPayload
        {
            Id = instanceId,
            StatusQueryGetUri = instance,
            SendEventPostUri = $"{instance}/raiseEvent/{{eventName}}",
            TerminatePostUri = $"{instance}/terminate?reason={{text}}",
            PurgeHistoryDeleteUri = instance,
            SuspendPostUri = $"{instance}/suspend?reason={{text}}",
            ResumePostUri = $"{instance}/resume?reason={{text}}",
        };
    }
}
