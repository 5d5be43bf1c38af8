using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>A fault in the body of the handler's response; applies to successful responses with a body only.</summary>
public abstract record BodyFault : Fault
{
    /// <summary>True when the fault applies to a response, whose status and headers are already set.</summary>
    private protected virtual bool Concerns(HttpContext context, byte[] body) => true;

    /// <summary>Sends the faulty response.</summary>
    private protected abstract Task SendAsync(HttpContext context, byte[] body);

    internal sealed override async Task AnswerAsync(HttpContext context, RequestDelegate handler, Func<bool> claim)
    {
        var (response, connection) = (context.Response, context.Response.Body);
        using var kept = new MemoryStream();
        response.Body = kept;
        try
        {
            await handler(context);
        }
        finally
        {
            response.Body = connection;
        }
        var body = kept.ToArray();
        if (response.StatusCode is StatusCodes.Status200OK or StatusCodes.Status206PartialContent && body.Length > 0
            && Concerns(context, body) && claim())
        {
            response.ContentLength = body.Length;
            await SendAsync(context, body);
        }
        else await connection.WriteAsync(body, context.RequestAborted);
    }
}

/// <summary>
/// Overwrites the second half of the body with 0xFF, keeping its length. In a JPEG, 0xFF is padding before a marker, so that the decoder
/// finds no more data; other bytes might decode to pixels.
/// </summary>
public sealed record CorruptFault : BodyFault
{
    public override string Kind => "corrupt";

    private protected override Task SendAsync(HttpContext context, byte[] body)
    {
        body.AsSpan(body.Length / 2).Fill(0xFF);
        return context.Response.Body.WriteAsync(body, 0, body.Length, context.RequestAborted);
    }
}

/// <summary>A response that ends early. Of a file requested in ranges, only the range that contains the break is affected.</summary>
/// <param name="At">Position of the break, as a share of the complete file.</param>
public abstract record BrokenOffFault(double At) : BodyFault
{
    /// <summary>Breaks off the response after the last byte sent.</summary>
    private protected abstract Task BreakOffAsync(HttpContext context);

    private protected sealed override bool Concerns(HttpContext context, byte[] body) => PlaceIn(context, body) is var place && place >= 0 && place < body.Length;

    private protected sealed override async Task SendAsync(HttpContext context, byte[] body)
    {
        await context.Response.Body.WriteAsync(body.AsMemory(0, (int)PlaceIn(context, body)), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        await BreakOffAsync(context);
    }

    private long PlaceIn(HttpContext context, byte[] body)
    {
        var part = context.Response.GetTypedHeaders().ContentRange;
        return (long)(At * (part?.Length ?? body.Length)) - (part?.From ?? 0);
    }
}

/// <summary>Closes the connection in the middle of the body.</summary>
public sealed record CutFault(double At = 0.5) : BrokenOffFault(At)
{
    public override string Kind => "cut";

    // Kestrel closes the connection when the body is shorter than Content-Length; aborting it would also discard bytes still in the send
    // buffer.
    private protected override Task BreakOffAsync(HttpContext context) => Task.CompletedTask;
}

/// <summary>Stops sending in the middle of the body until the client gives up.</summary>
public sealed record StallFault(double At = 0.5) : BrokenOffFault(At)
{
    public override string Kind => "stall";

    private protected override Task BreakOffAsync(HttpContext context) => UntilGivenUpAsync(context);
}
