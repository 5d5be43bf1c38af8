using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>Stands before everything that a hub serves and spoils answers by rules; <c>GET /faults</c> lists what it has done.</summary>
internal sealed class FaultInjection
{
    public const string Path = "/faults";

    private readonly int _seed;
    private readonly List<(FaultRule Rule, double From)> _rules = [];
    private readonly Dictionary<(int Rule, string Path), int> _counts = [];
    private readonly Lock _gate = new();

    /// <param name="rules">The first rule that still has something to do for a path is the one that is followed.</param>
    /// <param name="seed">Decides, with the path, where a share falls.</param>
    /// <exception cref="InvalidDataException">The shares of the rules for one path are more than all of it.</exception>
    public FaultInjection(IEnumerable<FaultRule> rules, int seed)
    {
        _seed = seed;
        var taken = new Dictionary<string, double>();
        foreach (var rule in rules)
        {
            var from = rule.Share < 1 ? taken.GetValueOrDefault(rule.Path) : 0;
            if (rule.Share < 1) taken[rule.Path] = from + rule.Share;
            // Shares such as 0.1 are not exact.
            if (rule.Share < 0 || from + rule.Share > 1 + 1e-9)
                throw new InvalidDataException($"the shares of faults for {rule.Path} must be 0 or more, and 1 or less together");
            _rules.Add((rule, from));
        }
    }

    /// <summary>What has happened so far, by kind and path.</summary>
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
        // With the routes placed explicitly, they come after the faults.
        application.UseRouting();
        application.MapGet(Path, () => Injected);
    }

    /// <summary>The rules that concern a path, whether or not they still have something to do.</summary>
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

    // A number from 0 to 1, spread evenly over paths: rules take sections of it.
    private double PlaceOf(string path) =>
        (BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{_seed} {path}"))) >> 11) * Math.Pow(2, -53);
}
