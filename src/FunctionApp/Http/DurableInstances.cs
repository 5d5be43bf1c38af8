using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Instance ids for orchestrations whose caller gave none.</summary>
internal static class InstanceIds
{
    /// <summary>Creates an id from a prefix, the time in UTC, and four random hexadecimal digits.</summary>
    public static string New(string prefix, TimeProvider time)
    {
        var now = time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        return $"{prefix}-{now}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}";
    }
}

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
