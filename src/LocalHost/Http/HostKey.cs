using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.LocalHost.Http;

/// <summary>
/// The only key of a host that listens beyond loopback: for functions whose level is not anonymous, for webhooks, and for <c>/admin</c>.
/// </summary>
internal sealed record HostKey(string Value)
{
    public static HostKey Create() => new(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20)));

    /// <summary>True when a request has the key in the header <c>x-functions-key</c> or the query parameter <c>code</c>.</summary>
    public bool Admits(HttpRequest request)
    {
        var given = request.Headers.TryGetValue("x-functions-key", out var header) ? header.ToString() : request.Query["code"].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(Value));
    }
}
