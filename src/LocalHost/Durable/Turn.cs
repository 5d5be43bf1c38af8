using Microsoft.DurableTask;

namespace FunctionsPipeline.LocalHost.Durable;

/// <summary>An instance with everything a turn needs.</summary>
/// <param name="History">What happened before.</param>
/// <param name="Messages">What has arrived since.</param>
internal sealed record TurnInput(Instance Instance, IReadOnlyList<HistoryEvent> History, IReadOnlyList<Message> Messages);

/// <summary>What a turn brought.</summary>
/// <param name="Events">The turn's start and the messages that it took in.</param>
/// <param name="Requests">What the orchestrator asked for.</param>
/// <param name="CustomStatus">The custom status it leaves.</param>
/// <param name="End">How the orchestration ended; null when it goes on.</param>
internal sealed record TurnResult(IReadOnlyList<HistoryEvent> Events, IReadOnlyList<Request> Requests, string? CustomStatus, TurnEnd? End);

/// <summary>How an orchestration ends.</summary>
internal abstract record TurnEnd
{
    internal sealed record Completed(string? Output) : TurnEnd;

    internal sealed record Failed(TaskFailureDetails Failure) : TurnEnd;

    internal sealed record Terminated(string? Output, bool Recursive) : TurnEnd;

    /// <summary>It starts anew with another input and an empty history.</summary>
    /// <param name="Unprocessed">External events that it has not consumed and that the new execution gets.</param>
    internal sealed record ContinuedAsNew(string? Input, string Version, IReadOnlyList<HistoryEvent> Unprocessed) : TurnEnd;
}
