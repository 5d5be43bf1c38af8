using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Which runs <c>GET /api/runs</c> is asked for.</summary>
/// <param name="Top">Runs on a page at most.</param>
/// <param name="Statuses">Runtime statuses; empty for all.</param>
/// <param name="From">Accepted at this time or later.</param>
/// <param name="To">Accepted at this time or earlier.</param>
internal sealed record RunQuery(
    int Top, string? Continuation, IReadOnlyCollection<OrchestrationRuntimeStatus> Statuses, DateTimeOffset? From, DateTimeOffset? To)
{
    private const int DefaultTop = 50;
    private const int MostTop = 200;

    /// <summary>Reads the query's parameters, and adds those that cannot be read to <paramref name="errors"/>.</summary>
    public static RunQuery Read(IQueryCollection query, FieldErrors errors)
    {
        var top = DefaultTop;
        if (Value("top") is { } number && (!int.TryParse(number, CultureInfo.InvariantCulture, out top) || top is < 1 or > MostTop))
            errors.Add("top", $"is '{number}', must be from 1 to {MostTop}");
        var statuses = new List<OrchestrationRuntimeStatus>();
        foreach (var word in query["status"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            // Enum.TryParse takes numbers, too.
            if (char.IsLetter(word[0]) && Enum.TryParse<OrchestrationRuntimeStatus>(word, ignoreCase: true, out var one)) statuses.Add(one);
            else errors.Add("status", $"has '{word}', must be some of Pending, Running, Completed, Failed, Terminated and Suspended");
        }
        return new RunQuery(top, Value("continuation"), statuses, Time("createdFrom"), Time("createdTo"));

        string? Value(string name) => query[name].LastOrDefault() is { Length: > 0 } value ? value : null;

        DateTimeOffset? Time(string name)
        {
            if (Value(name) is not { } text) return null;
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)) return time;
            errors.Add(name, $"is '{text}', must be a time such as 2026-05-01T12:00:00Z");
            return null;
        }
    }
}
