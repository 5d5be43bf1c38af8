using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Query parameters of <c>GET /api/runs</c>.</summary>
/// <param name="Top">Maximum number of runs on a page.</param>
/// <param name="Statuses">Runtime statuses to include; empty for all.</param>
/// <param name="From">Earliest time of acceptance, included.</param>
/// <param name="To">Latest time of acceptance, included.</param>
internal sealed record RunQuery(
    int Top, string? Continuation, IReadOnlyCollection<OrchestrationRuntimeStatus> Statuses, DateTimeOffset? From, DateTimeOffset? To)
{
    private const int DefaultTop = 50;
    private const int MostTop = 200;

    /// <summary>Parses the query's parameters and adds invalid ones to <paramref name="errors"/>.</summary>
    public static RunQuery Read(IQueryCollection query, FieldErrors errors)
    {
        var top = DefaultTop;
        if (Value("top") is { } number && (!int.TryParse(number, CultureInfo.InvariantCulture, out top) || top is < 1 or > MostTop))
            errors.Add("top", $"is '{number}', must be from 1 to {MostTop}");
        var statuses = new List<OrchestrationRuntimeStatus>();
        foreach (var word in query["status"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            // Enum.TryParse also accepts numbers.
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
