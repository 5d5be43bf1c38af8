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
    public IReadOnlyList<InjectedFault> Injected
    {
        get
        {
            lock (_gate)
            {
                return [.. _counts
                    .GroupBy(c => (_rules[c.Key.Rule].Rule.Fault.Kind, c.Key.Path), c => c.Value)
                    .Select(g => new InjectedFault(g.Key.Kind, g.Key.Path, g.Sum()))
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
