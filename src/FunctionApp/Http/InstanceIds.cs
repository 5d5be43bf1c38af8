using System.Globalization;
using System.Security.Cryptography;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Instance ids for orchestrations whose caller gave none.</summary>
internal static class InstanceIds
{
    /// <summary>Creates an id from a prefix, the time in UTC, and four random hexadecimal digits.</summary>
    public static string New(string what, TimeProvider time) =>
        $"{what}-{time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}";
}
