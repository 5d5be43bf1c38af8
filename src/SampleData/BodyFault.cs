using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>A fault within an answer that is otherwise the handler's. Only a success with a body can be spoilt.</summary>
public abstract record BodyFault : Fault
{
    /// <summary>Whether there is something to spoil in an answer whose status and headers are set.</summary>
    private protected virtual bool Concerns(HttpContext context, byte[] body) => true;

    /// <summary>Sends a spoilt form of it.</summary>
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
/// Fills the second half of what is sent with 0xFF, keeping its length. In a JPEG that fills the space before a marker which never comes;
/// other bytes might be decoded.
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

/// <summary>An answer that ends early. Of a file that is asked for in parts, it concerns the part with the place in it.</summary>
/// <param name="At">The place, as a share of the whole file.</param>
public abstract record BrokenOffFault(double At) : BodyFault
{
    /// <summary>What happens after the last byte.</summary>
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

/// <summary>Closes the connection.</summary>
public sealed record CutFault(double At = 0.5) : BrokenOffFault(At)
{
    public override string Kind => "cut";

    // The server closes a connection on which less came than was announced; to abort it would also take back what is on its way.
    private protected override Task BreakOffAsync(HttpContext context) => Task.CompletedTask;
}

/// <summary>Sends nothing more until the client gives up.</summary>
public sealed record StallFault(double At = 0.5) : BrokenOffFault(At)
{
    public override string Kind => "stall";

    private protected override Task BreakOffAsync(HttpContext context) => UntilGivenUpAsync(context);
}
