using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>A fault that the hub injects into a response.</summary>
public abstract record Fault
{
    /// <summary>Name of the fault in the hub's list of injected faults.</summary>
    public abstract string Kind { get; }

    /// <summary>True when the fault applies to the request.</summary>
    internal virtual bool Concerns(HttpRequest request) => true;

    /// <summary>Answers the request in place of the handler, or alters the handler's response.</summary>
    /// <param name="claim">Called just before the fault is injected; false when concurrent requests have used up the rule's count.</param>
    internal abstract Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim);

    /// <summary>Returns when the client closes the connection or the server stops.</summary>
    private protected static async Task UntilGivenUpAsync(HttpContext context) =>
        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}

/// <summary>Refuses the request with a status and headers such as <c>Retry-After</c>, <c>RateLimit</c> or <c>X-Error-Code</c>.</summary>
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

/// <summary>Accepts the request and sends nothing until the client gives up.</summary>
public sealed record StallBeforeAnswerFault : Fault
{
    public override string Kind => "stall-before-answer";

    internal override Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim) =>
        claim() ? UntilGivenUpAsync(context) : handler(context);
}

/// <summary>Answers a range request with the complete file, like a server without range support.</summary>
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

/// <summary>Answers a range request with a range that starts one byte later, stated correctly in Content-Range.</summary>
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

/// <summary>Sends an ETag that does not match the file sent or redirected to.</summary>
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
