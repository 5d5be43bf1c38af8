using System.Reflection;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>The functions of some assemblies, by trigger.</summary>
internal sealed class FunctionCatalog
{
    private readonly Dictionary<string, FunctionDescriptor> _orchestrators;
    private readonly Dictionary<string, FunctionDescriptor> _activities;

    private FunctionCatalog(IReadOnlyList<FunctionDescriptor> functions)
    {
        All = functions;
        _orchestrators = ByName<OrchestrationTriggerAttribute>(t => t.Orchestration);
        _activities = ByName<ActivityTriggerAttribute>(t => t.Activity);
    }

    /// <summary>All functions, by name.</summary>
    public IReadOnlyList<FunctionDescriptor> All { get; }

    public IEnumerable<FunctionDescriptor> OfTrigger<T>() where T : TriggerBindingAttribute => All.Where(f => f.Trigger is T);

    public FunctionDescriptor? Orchestrator(string name) => _orchestrators.GetValueOrDefault(name);

    public FunctionDescriptor? Activity(string name) => _activities.GetValueOrDefault(name);

    /// <summary>Says which names there are, for the message about one that there is not.</summary>
    public string UnknownOrchestrator(string name) => Unknown("orchestrator", name, _orchestrators.Keys);

    /// <inheritdoc cref="UnknownOrchestrator"/>
    public string UnknownActivity(string name) => Unknown("activity", name, _activities.Keys);

    /// <summary>Finds the functions, but those that the setting <c>AzureWebJobs.{name}.Disabled</c> switches off, as in Azure.</summary>
    /// <exception cref="InvalidOperationException">A function has no trigger that runs here, or two have the same name.</exception>
    public static FunctionCatalog Discover(IEnumerable<Assembly> assemblies, IConfiguration configuration)
    {
        var functions = assemblies.Distinct()
            .SelectMany(a => a.GetTypes())
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Select(m => (Method: m, Function: m.GetCustomAttribute<FunctionAttribute>()))
            .Where(f => f.Function is not null && !configuration.GetValue($"AzureWebJobs.{f.Function.Name}.Disabled", false))
            .Select(f => Describe(f.Function!.Name, f.Method))
            .OrderBy(f => f.Name, StringComparer.OrdinalIgnoreCase)
            .ToList();
        if (functions.GroupBy(f => f.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InvalidOperationException($"Two functions are named {twice.Key}: {string.Join(" and ", twice.Select(f => f.EntryPoint))}.");
        return new FunctionCatalog(functions);
    }

    private static FunctionDescriptor Describe(string name, MethodInfo method)
    {
        var triggers = method.GetParameters()
            .Select(p => (Parameter: p, Trigger: p.GetCustomAttribute<TriggerBindingAttribute>()))
            .Where(p => p.Trigger is not null)
            .ToList();
        if (triggers is not [var (parameter, trigger)])
            throw new InvalidOperationException($"Function {name} must have one parameter with a trigger, and has {triggers.Count}.");
        if (trigger is not (HttpTriggerAttribute or BlobTriggerAttribute or OrchestrationTriggerAttribute or ActivityTriggerAttribute))
        {
            throw new InvalidOperationException($"Function {name} has a {trigger!.GetType().Name}, which the local host does not run. " +
                "It runs HTTP, blob, orchestration and activity triggers.");
        }
        return new FunctionDescriptor { Name = name, Method = method, TriggerParameter = parameter, Trigger = trigger };
    }

    private Dictionary<string, FunctionDescriptor> ByName<T>(Func<T, string?> alias) where T : TriggerBindingAttribute =>
        OfTrigger<T>().ToDictionary(f => alias((T)f.Trigger) ?? f.Name, StringComparer.OrdinalIgnoreCase);

    private static string Unknown(string kind, string name, IEnumerable<string> known) =>
        $"There is no {kind} named {name}. There are: {string.Join(", ", known.Order(StringComparer.OrdinalIgnoreCase))}.";
}
