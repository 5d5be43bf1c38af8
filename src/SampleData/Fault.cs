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
    /// <param name="claim">Asked when there is something to spoil; false when others have been spoilt often enough meanwhile.</param>
    internal abstract Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim);

    /// <summary>Returns when the client closes the connection or the server stops.</summary>
    private protected static async Task UntilGivenUpAsync(HttpContext context) =>
        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}

/// <summary>Refuses with a status and headers such as <c>Retry-After</c>, <c>RateLimit</c> or <c>X-Error-Code</c>.</summary>
public sealed record StatusFault(int Status, params (string Name, string Value)[] Headers) : Fault
{
    public override string Kind => $"status-{Status}";

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim)
    {
        if (!claim()) return handler(context);
        context.Response.StatusCode = Status;
        foreach (var (name, value) in Headers) context.Response.Headers[name] = value;
        return Task.CompletedTask;
    }
}

/// <summary>Takes the request and says nothing until the client gives up.</summary>
public sealed record StallBeforeAnswerFault : Fault
{
    public override string Kind => "stall-before-answer";

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim) =>
        claim() ? UntilGivenUpAsync(context) : handler(context);
}

/// <summary>Answers a request for a part with the whole, as a server does that does not know ranges.</summary>
public sealed record NoRangesFault : Fault
{
    public override string Kind => "no-ranges";

    internal override bool Concerns(HttpRequest request) => request.Headers.Range.Count > 0;

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim)
    {
        if (claim()) context.Request.Headers.Remove("Range");
        return handler(context);
    }
}

/// <summary>Answers a request for a part with a part that begins one byte later, and says so.</summary>
public sealed record WrongRangeFault : Fault
{
    public override string Kind => "wrong-range";

    internal override bool Concerns(HttpRequest request) => request.GetTypedHeaders().Range is { Ranges.Count: 1 };

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim)
    {
        if (!claim()) return handler(context);
        var headers = context.Request.GetTypedHeaders();
        var asked = headers.Range!.Ranges.Single();
        headers.Range = asked.From is { } from ? new(from + 1, asked.To + 1) : new(null, asked.To - 1);
        return handler(context);
    }
}

/// <summary>Announces another version of a file than the one it sends or redirects to.</summary>
public sealed record WrongEtagFault : Fault
{
    private static readonly string[] Names = ["ETag", "X-Linked-Etag"];

    public override string Kind => "wrong-etag";

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim)
    {
        context.Response.OnStarting(() =>
        {
            string[] names = [.. Names.Where(context.Response.Headers.ContainsKey)];
            if (names.Length > 0 && claim())
                foreach (var name in names) context.Response.Headers[name] = $"\"{new string('0', 40)}\"";
            return Task.CompletedTask;
        });
        return handler(context);
    }
}
