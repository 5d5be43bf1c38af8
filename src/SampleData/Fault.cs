using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>A way in which a server spoils an answer.</summary>
public abstract record Fault
{
    /// <summary>What it is called in the hub's list of faults.</summary>
    public abstract string Kind { get; }

    /// <summary>Whether there is anything to spoil in the answer to this request.</summary>
    internal virtual bool Concerns(HttpRequest request) => true;

    /// <summary>Answers in the handler's place, or with what the handler answers.</summary>
    /// <returns>Whether the answer was spoilt; if not, it was sent as it should be.</returns>
    internal abstract Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler);

    /// <summary>Returns when the client closes the connection or the server stops.</summary>
    private protected static async Task UntilGivenUpAsync(HttpContext context) =>
        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}

/// <summary>Refuses with a status and headers such as <c>Retry-After</c>, <c>RateLimit</c> or <c>X-Error-Code</c>.</summary>
public sealed record StatusFault(int Status, params (string Name, string Value)[] Headers) : Fault
{
    public override string Kind => $"status-{Status}";

    internal override Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        context.Response.StatusCode = Status;
        foreach (var (name, value) in Headers) context.Response.Headers[name] = value;
        return Task.FromResult(true);
    }
}

/// <summary>Takes the request and says nothing until the client gives up.</summary>
public sealed record StallBeforeAnswerFault : Fault
{
    public override string Kind => "stall-before-answer";

    internal override async Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        await UntilGivenUpAsync(context);
        return true;
    }
}

/// <summary>Answers a request for a part with the whole, as a server does that does not know ranges.</summary>
public sealed record NoRangesFault : Fault
{
    public override string Kind => "no-ranges";

    internal override bool Concerns(HttpRequest request) => request.Headers.Range.Count > 0;

    internal override async Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        context.Request.Headers.Remove("Range");
        await handler(context);
        return true;
    }
}

/// <summary>Answers a request for a part with a part that begins one byte later, and says so.</summary>
public sealed record WrongRangeFault : Fault
{
    public override string Kind => "wrong-range";

    internal override bool Concerns(HttpRequest request) => request.GetTypedHeaders().Range is { Ranges.Count: 1 };

    internal override async Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        var headers = context.Request.GetTypedHeaders();
        var asked = headers.Range!.Ranges.Single();
        headers.Range = asked.From is { } from ? new(from + 1, asked.To + 1) : new(null, asked.To - 1);
        await handler(context);
        return true;
    }
}

/// <summary>Announces another version of a file than the one it sends or redirects to.</summary>
public sealed record WrongEtagFault : Fault
{
    private static readonly string[] Names = ["ETag", "X-Linked-Etag"];

    public override string Kind => "wrong-etag";

    internal override async Task<bool> AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        var changed = false;
        context.Response.OnStarting(() =>
        {
            foreach (var name in Names.Where(context.Response.Headers.ContainsKey))
            {
                context.Response.Headers[name] = $"\"{new string('0', 40)}\"";
                changed = true;
            }
            return Task.CompletedTask;
        });
        await handler(context);
        // A redirect has no body that would have started the answer.
        await context.Response.StartAsync(context.RequestAborted);
        return changed;
    }
}
