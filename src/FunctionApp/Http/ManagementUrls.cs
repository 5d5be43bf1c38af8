using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>URLs of the durable extension's management API for an orchestration, keyed by their names in that API.</summary>
internal static class ManagementUrls
{
    /// <summary>Name of the URL that returns the orchestration's status.</summary>
    public const string Status = "statusQueryGetUri";

    public static IReadOnlyDictionary<string, string> Of(HttpManagementPayload payload) => new (string Name, string? Url)[]
        {
            (Status, payload.StatusQueryGetUri),
            ("sendEventPostUri", payload.SendEventPostUri),
            ("terminatePostUri", payload.TerminatePostUri),
            ("suspendPostUri", payload.SuspendPostUri),
            ("resumePostUri", payload.ResumePostUri),
            ("purgeHistoryDeleteUri", payload.PurgeHistoryDeleteUri),
        }
        .Where(pair => pair.Url is not null).ToDictionary(pair => pair.Name, pair => pair.Url!);
}
