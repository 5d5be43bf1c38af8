using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>
/// Event that a webhook of the Hugging Face Hub reports (https://huggingface.co/docs/hub/webhooks), as far as it is read: the body of
/// <c>POST /api/hooks/huggingface</c>.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record HubEvent
{
    /// <summary>Nature of the event.</summary>
    public HubEventKind Event { get; init; } = new();

    /// <summary>The repository that the event is of.</summary>
    public HubEventRepository Repo { get; init; } = new();

    /// <summary>Branches, tags and pull requests that have another commit now; null for events that concern no commit.</summary>
    public IReadOnlyList<HubUpdatedRef>? UpdatedRefs { get; init; }
}

/// <summary>Nature of an event on the Hub.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record HubEventKind
{
    /// <summary><c>create</c>, <c>update</c>, <c>move</c> or <c>delete</c>.</summary>
    public string Action { get; init; } = "";

    /// <summary>Part of the repository, such as <c>repo.content</c> for commits; later versions may have narrower ones.</summary>
    public string Scope { get; init; } = "";
}

/// <summary>Repository on the Hub.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record HubEventRepository
{
    /// <summary><c>dataset</c>, <c>model</c> or <c>space</c>.</summary>
    public string Type { get; init; } = "";

    /// <summary>Repository id, <c>owner/name</c>.</summary>
    public string Name { get; init; } = "";
}

/// <summary>Branch, tag or pull request with another commit.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Skip)]
public sealed record HubUpdatedRef
{
    /// <summary>Full name, such as <c>refs/heads/main</c>.</summary>
    public string Ref { get; init; } = "";

    /// <summary>The commit; null when the reference was deleted.</summary>
    public string? NewSha { get; init; }
}

/// <summary>Decision about a cause to train again: the response to <c>POST /api/hooks/huggingface</c>.</summary>
public sealed record RetrainingDecision(RetrainingOutcome Outcome, string Reason)
{
    /// <summary>The run for this cause; null when the event is none.</summary>
    public string? Run { get; init; }
}

/// <summary>Outcomes of a decision about a cause to train again.</summary>
public enum RetrainingOutcome
{
    /// <summary>A run was started.</summary>
    Started,

    /// <summary>A run is started later, when the reason for the wait is gone.</summary>
    Waiting,

    /// <summary>No run is started.</summary>
    Ignored,
}
