using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>Middleware that injects faults into a hub's responses by rules; <c>GET /faults</c> lists the injected faults.</summary>
internal sealed class FaultInjection
{
    public const string Path = "/faults";

    private readonly int _seed;
    private readonly List<(FaultRule Rule, double From)> _rules = [];
    private readonly Dictionary<(int Rule, string Path), int> _counts = [];
    private readonly Lock _gate = new();

    /// <param name="rules">The rules, in order; the first applicable one whose count for the path is not used up is applied.</param>
    /// <param name="seed">Seed that, together with the path, selects the paths of a share.</param>
    /// <exception cref="InvalidDataException">The shares of the rules for one path add up to more than 1.</exception>
    public FaultInjection(IEnumerable<FaultRule> rules, int seed)
    {
        _seed = seed;
        var taken = new Dictionary<string, double>();
        foreach (var rule in rules)
        {
            var from = rule.Share < 1 ? taken.GetValueOrDefault(rule.Path) : 0;
            if (rule.Share < 1) taken[rule.Path] = from + rule.Share;
            // Sums of shares such as 0.1 exceed 1 by rounding errors.
            if (rule.Share < 0 || from + rule.Share > 1 + 1e-9)
                throw new InvalidDataException($"the shares of faults for {rule.Path} must be 0 or more, and 1 or less together");
            _rules.Add((rule, from));
        }
    }

    /// <summary>Faults injected so far, by kind and path.</summary>
    public IReadOnlyList<FaultCount> Injected
    {
        get
        {
            lock (_gate)
            {
                return [.. _counts
                    .GroupBy(c => (_rules[c.Key.Rule].Rule.Fault.Kind, c.Key.Path), c => c.Value)
                    .Select(g => new FaultCount(g.Key.Kind, g.Key.Path, g.Sum()))
                    .OrderBy(f => f.Kind, StringComparer.Ordinal).ThenBy(f => f.Path, StringComparer.Ordinal)];
            }
        }
    }

    public void Map(WebApplication application)
    {
        application.Use(AnswerAsync);
        // Without this call, WebApplication puts routing before all middleware, and so before the faults.
        application.UseRouting();
        application.MapGet(Path, () => Injected);
    }

    /// <summary>The rules that apply to a path, including those whose count is used up.</summary>
    public IEnumerable<FaultRule> RulesFor(string path) => Numbers(path).Select(i => _rules[i].Rule);

    private async Task AnswerAsync(HttpContext context, RequestDelegate handler)
    {
        var path = context.Request.Path.Value ?? "";
        if (HttpMethods.IsGet(context.Request.Method) && path != Path && Find(path, context.Request) is { } number)
        {
            await _rules[number].Rule.Fault.AnswerAsync(context, handler, () => Claim(number, path));
        }
        else await handler(context);
    }

    private int? Find(string path, HttpRequest request)
    {
        lock (_gate)
        {
            foreach (var number in Numbers(path))
                if (HasLeft(number, path) && _rules[number].Rule.Fault.Concerns(request)) return number;
            return null;
        }
    }

    private bool Claim(int number, string path)
    {
        lock (_gate)
        {
            if (!HasLeft(number, path)) return false;
            _counts[(number, path)] = _counts.GetValueOrDefault((number, path)) + 1;
            return true;
        }
    }

    private bool HasLeft(int number, string path) => _counts.GetValueOrDefault((number, path)) < _rules[number].Rule.Times;

    private IEnumerable<int> Numbers(string path)
    {
        var place = PlaceOf(path);
        return Enumerable.Range(0, _rules.Count).Where(i =>
            FileSystemName.MatchesSimpleExpression(_rules[i].Rule.Path, path, ignoreCase: false)
            && place >= _rules[i].From && place < _rules[i].From + _rules[i].Rule.Share);
    }

    // Maps a path to a uniformly distributed number in [0, 1). Each rule with a share owns an interval of it. 53 bits fit a double
    // exactly.
    private double PlaceOf(string path) =>
        (BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{_seed} {path}"))) >> 11) * Math.Pow(2, -53);
}

/// <summary>Rule that injects a fault into a hub's responses.</summary>
/// <param name="Path">Pattern of the unescaped paths; <c>*</c> matches any characters, slashes included.</param>
/// <param name="Fault">The fault to inject.</param>
public sealed record FaultRule(string Path, Fault Fault)
{
    /// <summary>
    /// Share of the paths affected, 0 to 1; selected by a hash of the path and the hub's seed alone. Rules with a share below 1 for the
    /// same <see cref="Path"/> select disjoint sets of paths.
    /// </summary>
    public double Share { get; init; } = 1;

    /// <summary>Number of faulty responses per path before the path is served correctly; no limit when left out.</summary>
    public int Times { get; init; } = int.MaxValue;
}

/// <summary>Count of a fault injected at one path.</summary>
/// <param name="Kind">The fault's name, such as <c>status-404</c> or <c>cut</c>.</param>
/// <param name="Path">The path whose responses were faulty.</param>
/// <param name="Count">Number of faulty responses.</param>
public sealed record FaultCount(string Kind, string Path, int Count);

/// <summary>Predefined sets of fault rules for the command line.</summary>
public static class FaultPresets
{
    /// <summary>
    /// Faults of a bad day: of the images served by URL, 1 % answer 404, 1 % answer 503 once, 1 % stall and 1 % are corrupt; a connection
    /// is cut once in the middle of each Parquet file.
    /// </summary>
    public static IReadOnlyList<FaultRule> BadDay { get; } =
    [
        new(CatalogImages.Path + "*", new StatusFault(StatusCodes.Status404NotFound)) { Share = 0.01 },
        new(CatalogImages.Path + "*", new StatusFault(StatusCodes.Status503ServiceUnavailable, ("Retry-After", "1")))
        {
            Share = 0.01, Times = 1,
        },
        new(CatalogImages.Path + "*", new StallFault()) { Share = 0.01 },
        new(CatalogImages.Path + "*", new CorruptFault()) { Share = 0.01 },
        new("/cdn/datasets/*.parquet", new CutFault()) { Times = 1 },
    ];
}

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
        // The assignment also redirects SendFileAsync, which Results.File uses. Memory holds one complete body.
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

    private protected sealed override bool Concerns(HttpContext context, byte[] body) =>
        PlaceIn(context, body) is var place && place >= 0 && place < body.Length;

    private protected sealed override async Task SendAsync(HttpContext context, byte[] body)
    {
        await context.Response.Body.WriteAsync(body.AsMemory(0, (int)PlaceIn(context, body)), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        await BreakOffAsync(context);
    }

    private long PlaceIn(HttpContext context, byte[] body)
    {
        var range = context.Response.GetTypedHeaders().ContentRange;
        // Content-Range: bytes from-to/length. The break's position in the file, less the range's start, is its position in this body.
        return (long)(At * (range?.Length ?? body.Length)) - (range?.From ?? 0);
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
