using System.Globalization;
using System.Security.Cryptography;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Ids of orchestrations that whoever started them has not named.</summary>
internal static class InstanceIds
{
    /// <summary>A new id: what it is, the time in UTC, and four digits by chance.</summary>
    public static string New(string what, TimeProvider time) =>
        $"{what}-{time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}";
}
