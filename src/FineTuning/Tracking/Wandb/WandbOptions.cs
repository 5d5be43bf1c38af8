using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking.Wandb;

/// <summary>
/// Options of tracking on Weights &amp; Biases, from the environment variables of its own client
/// (https://docs.wandb.ai/models/track/environment-variables).
/// </summary>
public sealed class WandbOptions
{
    private const string DefaultProject = "functions-pipeline";
    private const string DefaultServer = "https://api.wandb.ai";

    // https://github.com/wandb/wandb/blob/main/wandb/sdk/wandb_settings.py
    private const int LongestProject = 128;
    private const int LongestTag = 64;
    private const string NotInProjects = "/\\#?%:";

    private readonly string _key;

    private WandbOptions(Uri server, string key) => (Server, _key) = (server, key);

    /// <summary>URL of the API, without a slash at the end of its path.</summary>
    public Uri Server { get; }

    /// <summary>User or team that the run belongs to; null for the default of the key's owner.</summary>
    public string? Entity { get; private init; }

    /// <summary>Name of the project, which is created when there is none.</summary>
    public required string Project { get; init; }

    /// <summary>Group of a run that belongs to no sweep; null for none.</summary>
    public string? Group { get; private init; }

    /// <summary>Tags of the run; empty to leave those of an earlier attempt as they are.</summary>
    public IReadOnlyList<string> Tags { get; private init; } = [];

    /// <summary>Authorization header of the API's requests.</summary>
    internal AuthenticationHeaderValue Authorization => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"api:{_key}")));

    /// <summary>
    /// Reads the options; null when <c>WANDB_API_KEY</c> is not set, or <c>WANDB_MODE</c> asks for no tracking. A value that no server
    /// would take gives null and a logged warning, since tracking must not keep a run from training.
    /// </summary>
    /// <param name="variable">Returns the value of an environment variable.</param>
    public static WandbOptions? Read(Func<string, string?> variable, ILogger logger)
    {
        string? Value(string name) => variable(name)?.Trim() is { Length: > 0 } value ? value : null;

        if (Value("WANDB_API_KEY") is not { } key) return null;
        var server = Value("WANDB_BASE_URL") ?? DefaultServer;
        var mode = Value("WANDB_MODE") ?? "online";
        var options = new WandbOptions(new Uri(IsServer(server) ? server.TrimEnd('/') : DefaultServer), key)
        {
            Entity = Value("WANDB_ENTITY"),
            Project = Value("WANDB_PROJECT") ?? DefaultProject,
            Group = Value("WANDB_RUN_GROUP"),
            Tags = Value("WANDB_TAGS")?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [],
        };
        if (mode is "disabled" or "offline")
        {
            logger.WandbOff(mode);
            return null;
        }
        var problem = mode != "online" ? $"WANDB_MODE is '{mode}', but must be online, offline or disabled"
            : !IsServer(server) ? $"WANDB_BASE_URL is '{server}', but must be the URL of an API, such as {DefaultServer}"
            : options.Project.Length > LongestProject || options.Project.AsSpan().ContainsAny(NotInProjects)
                ? $"WANDB_PROJECT may have {LongestProject} characters and none of {NotInProjects}"
            : options.Tags.Any(tag => tag.Length > LongestTag) ? $"a tag of WANDB_TAGS has more than {LongestTag} characters"
            : null;
        if (problem is null) return options;
        logger.WandbUnusable(problem);
        return null;
    }

    /// <summary>URL of the page of a run: the pages of the servers <c>api.wandb.ai</c> and <c>api.…</c> are at another host.</summary>
    // As wandb's api_to_app_url: https://github.com/wandb/wandb/blob/main/wandb/util.py
    internal string Page(RunPath path)
    {
        var pages = Server.Host.StartsWith("api.wandb.", StringComparison.Ordinal) ? Server.Host["api.".Length..]
            : Server.Host.StartsWith("api.", StringComparison.Ordinal) ? $"app.{Server.Host["api.".Length..]}"
            : Server.Host;
        var start = new UriBuilder(Server) { Host = pages }.Uri.AbsoluteUri.TrimEnd('/');
        return $"{start}/{Uri.EscapeDataString(path.Entity)}/{Uri.EscapeDataString(path.Project)}/runs/{Uri.EscapeDataString(path.Run)}";
    }

    /// <summary>Removes the key from a text, such as a server's response that repeats the request.</summary>
    internal string WithoutKey(string text) => text
        .Replace(_key, "…", StringComparison.Ordinal).Replace(Authorization.Parameter!, "…", StringComparison.Ordinal);

    // wandb.ai itself has pages only, and the key must not go to it unencrypted.
    private static bool IsServer(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var server) && server.Scheme is "http" or "https"
        && (!(server.Host == "wandb.ai" || server.Host.EndsWith(".wandb.ai", StringComparison.Ordinal))
            || server.Scheme == "https" && server.Host.StartsWith("api.", StringComparison.Ordinal));
}
