using System.Collections;
using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>One invocation of a function in this process.</summary>
internal sealed class LocalFunctionContext : FunctionContext
{
    private readonly LocalTraceContext _trace = new();
    private readonly LocalBindingContext _binding;
    private readonly LocalRetryContext _retry;
    private readonly LocalFunctionDefinition _definition;
    private readonly CancellationToken _cancellation;

    /// <param name="bindingData">Values that parameters may bind to by name: route values, parts of a blob's path.</param>
    /// <param name="retry">How often this event was tried before, and may be tried again at most.</param>
    public LocalFunctionContext(FunctionDescriptor function, IServiceProvider services, IReadOnlyDictionary<string, object?> bindingData,
        CancellationToken cancellation, (int Count, int Max) retry = default)
    {
        Function = function;
        InstanceServices = services;
        _definition = new LocalFunctionDefinition(function);
        _binding = new LocalBindingContext(bindingData);
        _retry = new LocalRetryContext(retry.Count, retry.Max);
        _cancellation = cancellation;
    }

    public FunctionDescriptor Function { get; }

    public override string InvocationId { get; } = Guid.NewGuid().ToString();

    public override string FunctionId => _definition.Id;

    public override TraceContext TraceContext => _trace;

    public override BindingContext BindingContext => _binding;

    public override RetryContext RetryContext => _retry;

    public override IServiceProvider InstanceServices { get; set; }

    public override FunctionDefinition FunctionDefinition => _definition;

    public override IDictionary<object, object> Items { get; set; } = new Dictionary<object, object>();

    public override IInvocationFeatures Features { get; } = new InvocationFeatures();

    public override CancellationToken CancellationToken => _cancellation;

    private sealed class LocalTraceContext : TraceContext
    {
        public override string TraceParent { get; } = Activity.Current?.Id ?? "";

        public override string TraceState { get; } = Activity.Current?.TraceStateString ?? "";
    }

    private sealed class LocalBindingContext(IReadOnlyDictionary<string, object?> data) : BindingContext
    {
        public override IReadOnlyDictionary<string, object?> BindingData => data;
    }

    private sealed class LocalRetryContext(int count, int max) : RetryContext
    {
        public override int RetryCount => count;

        public override int MaxRetryCount => max;
    }

    private sealed class InvocationFeatures : IInvocationFeatures
    {
        private readonly Dictionary<Type, object> _features = [];

        public void Set<T>(T instance) => _features[typeof(T)] = instance!;

        public T? Get<T>() => _features.TryGetValue(typeof(T), out var feature) ? (T)feature : default;

        public IEnumerator<KeyValuePair<Type, object>> GetEnumerator() => _features.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class LocalFunctionDefinition(FunctionDescriptor function) : FunctionDefinition
    {
        public override ImmutableArray<FunctionParameter> Parameters { get; } =
            [.. function.Method.GetParameters().Select(p => new FunctionParameter(p.Name!, p.ParameterType))];

        public override string PathToAssembly => function.Method.DeclaringType!.Assembly.Location;

        public override string EntryPoint => function.EntryPoint;

        public override string Id => function.Name;

        public override string Name => function.Name;

        public override IImmutableDictionary<string, BindingMetadata> InputBindings { get; } =
            ImmutableDictionary<string, BindingMetadata>.Empty.Add(function.TriggerParameter.Name!, new TriggerBinding(function));

        public override IImmutableDictionary<string, BindingMetadata> OutputBindings { get; } =
            ImmutableDictionary<string, BindingMetadata>.Empty;
    }

    private sealed class TriggerBinding(FunctionDescriptor function) : BindingMetadata
    {
        public override string Name => function.TriggerParameter.Name!;

        public override string Type => function.TriggerKind;

        public override BindingDirection Direction => BindingDirection.In;
    }
}
