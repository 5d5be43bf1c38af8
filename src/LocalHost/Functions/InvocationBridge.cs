using System.Diagnostics;
using FunctionsPipeline.LocalHost.Http;
using FunctionsPipeline.LocalHost.Worker;
using FunctionsPipeline.LocalHost.Worker.Messages;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.WebJobs;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace FunctionsPipeline.LocalHost.Functions;

/// <summary>
/// Passes invocations from the WebJobs SDK to the worker and returns their results. Public, because emitted code calls it.
/// </summary>
public sealed class InvocationBridge
{
    // Json.NET would parse strings that look like dates; functions must receive them exactly as they were written.
    private static readonly JsonSerializerSettings PlainDates = new() { DateParseHandling = DateParseHandling.None };

    private readonly WorkerSupervisor _worker;
    private readonly HttpForwarding _http;
    private readonly List<(Function Function, string[] Parameters)> _functions = [];

    internal InvocationBridge(WorkerSupervisor worker, HttpForwarding http)
    {
        _worker = worker;
        _http = http;
    }

    /// <summary>Invokes a function and returns its result.</summary>
    /// <param name="function">Function number from <see cref="Add"/>.</param>
    /// <param name="arguments">One argument for each of the function's parameters.</param>
    /// <returns>null, a string, a number, bytes or a JSON token.</returns>
    public async Task<object?> InvokeAsync(int function, object?[] arguments)
    {
        var trace = Activity.Current;
        var request = new InvocationRequest
        {
            InvocationId = Guid.NewGuid().ToString(),
            FunctionId = _functions[function].Function.Id,
            TraceContext = new RpcTraceContext { TraceParent = trace?.Id ?? "", TraceState = trace?.TraceStateString ?? "" },
        };
        var cancellationToken = CancellationToken.None;
        HttpContext? http = null;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] is CancellationToken token) cancellationToken = token;
            else if (arguments[i] is HttpContext context) http = context;
            else AddInput(request, _functions[function], i, arguments[i]);
        }
        var name = _functions[function].Function.Name;
        var channel = await _worker.GetAsync(cancellationToken);
        if (http is null) return Value((await channel.InvokeAsync(name, request, cancellationToken)).ReturnValue);

        var server = channel.Http ?? throw new InvalidOperationException(
            "The app serves no HTTP of its own: call ConfigureFunctionsWebApplication in its Program.cs.");
        var trigger = _functions[function].Function.Trigger!.Name;
        // Empty: with the capability HttpUri, the worker takes the request itself from its own HTTP server.
        request.InputData.Add(new ParameterBinding { Name = trigger, Data = new TypedData { Http = new RpcHttp() } });
        foreach (var (key, value) in http.Request.RouteValues) request.TriggerMetadata[key] = new TypedData { String = $"{value}" };
        // The worker matches both by the invocation id: the invocation comes over gRPC, the HTTP request through the proxy.
        await Task.WhenAll(
            _http.ForwardAsync(http, server, request.InvocationId), channel.InvokeAsync(name, request, cancellationToken));
        return null;
    }

    /// <summary>Invokes an orchestrator or an entity, whose result is text.</summary>
    public async Task<string?> InvokeForTextAsync(int function, object?[] arguments) =>
        (await InvokeAsync(function, arguments))?.ToString();

    /// <returns>Number that identifies the function in invocations.</returns>
    internal int Add(Function function, string[] parameters)
    {
        _functions.Add((function, parameters));
        return _functions.Count - 1;
    }

    private static void AddInput(
        InvocationRequest request, (Function Function, string[] Parameters) function, int parameter, object? argument)
    {
        var name = function.Parameters[parameter];
        if (function.Function.Bindings.Any(binding => binding.Name == name))
            request.InputData.Add(new ParameterBinding { Name = name, Data = Data(argument) });
        else request.TriggerMetadata[name] = Data(argument);
    }

    private static TypedData Data(object? argument) => argument switch
    {
        null => new TypedData(),
        string text => new TypedData { String = text },
        ParameterBindingData reference => new TypedData
        {
            ModelBindingData = new ModelBindingData
            {
                Version = reference.Version,
                Source = reference.Source,
                ContentType = reference.ContentType,
                Content = ByteString.CopyFrom(reference.Content),
            },
        },
        _ => new TypedData { Json = JsonConvert.SerializeObject(argument) },
    };

    private static object? Value(TypedData? data) => data?.DataCase switch
    {
        TypedData.DataOneofCase.String => data.String,
        TypedData.DataOneofCase.Json => JsonConvert.DeserializeObject<JToken>(data.Json, PlainDates),
        TypedData.DataOneofCase.Int => data.Int,
        TypedData.DataOneofCase.Double => data.Double,
        TypedData.DataOneofCase.Bytes => data.Bytes.ToByteArray(),
        TypedData.DataOneofCase.Stream => data.Stream.ToByteArray(),
        _ => null,
    };
}
