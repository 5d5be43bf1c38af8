using System.Collections.Concurrent;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Worker.Messages;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RpcException = Grpc.Core.RpcException;

namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>gRPC server that workers connect to: HTTP/2 without TLS on its own loopback port.</summary>
internal sealed class WorkerGateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<WorkerChannel>> _expected = new();
    private readonly ILoggerFactory _logs;

    private WorkerGateway(ILoggerFactory logs)
    {
        _logs = logs;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(this).AddSingleton<IHostLifetime, EmbeddedLifetime>();
        // By default gRPC refuses to receive more than 4 MB; the Functions host takes messages of up to 2 GB.
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = null);
        builder.WebHost.ConfigureKestrel(kestrel =>
            // HTTP/2 alone: without TLS there is no ALPN, and Kestrel would speak HTTP/1.1 on a port that allows both.
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.MapGrpcService<Service>();
    }

    /// <summary>URL that workers connect to.</summary>
    public Uri Url => new(_app.Urls.First());

    public static async Task<WorkerGateway> StartAsync(ILoggerFactory logs, CancellationToken cancellationToken)
    {
        var gateway = new WorkerGateway(logs);
        await gateway._app.StartAsync(cancellationToken);
        return gateway;
    }

    /// <summary>Waits until the worker with this id has opened its stream.</summary>
    public async Task<WorkerChannel> AcceptAsync(string workerId, CancellationToken cancellationToken)
    {
        // Either side may come first: the worker's stream, or this wait for it.
        var arrival = _expected.GetOrAdd(workerId, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
        try
        {
            return await arrival.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            _expected.TryRemove(workerId, out _);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(timeout.Token);
        await _app.DisposeAsync();
    }

    private sealed class Service(WorkerGateway gateway) : FunctionRpc.FunctionRpcBase
    {
        public override async Task EventStream(
            IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream,
            ServerCallContext context)
        {
            if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current.StartStream is not { } start)
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "the first message of a worker is StartStream"));
            var arrival = gateway._expected.GetOrAdd(start.WorkerId, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
            var channel = new WorkerChannel(responseStream, gateway._logs);
            arrival.TrySetResult(channel);
            await channel.RunAsync(requestStream, context.CancellationToken);
        }
    }
}

/// <summary>gRPC stream of one worker. Requests and responses are matched by their <c>request_id</c>.</summary>
internal sealed class WorkerChannel(IServerStreamWriter<StreamingMessage> outgoing, ILoggerFactory logs)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<StreamingMessage>> _pending = new();
    private readonly ConcurrentDictionary<string, string> _functions = new();

    // A gRPC stream takes one write at a time.
    private readonly SemaphoreSlim _writing = new(1);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the worker has closed its stream or died.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Base URL of the worker's HTTP server (capability <c>HttpUri</c>); null when it has none.</summary>
    public Uri? Http { get; private set; }

    /// <summary>Sends the init request and reads the worker's capabilities.</summary>
    /// <exception cref="InvalidOperationException">The worker rejects the request.</exception>
    public async Task InitializeAsync(string appFolder, CancellationToken cancellationToken)
    {
        var request = new WorkerInitRequest { HostVersion = "4.0.0.0", FunctionAppDirectory = appFolder, WorkerDirectory = appFolder };
        // Spelled so in the protocol (RpcWorkerConstants of the Functions host).
        request.Capabilities.Add("V2Compatable", "true");
        var response = (await AskAsync(new StreamingMessage { WorkerInitRequest = request }, cancellationToken)).WorkerInitResponse;
        ThrowIfFailed(response.Result, "The worker did not initialize");
        if (response.Capabilities.TryGetValue("HttpUri", out var http)) Http = new Uri(http);
    }

    /// <summary>Requests the app's functions, has the worker load them, and waits for its HTTP server.</summary>
    /// <returns>The loaded functions; one that fails to load is logged and left out.</returns>
    public async Task<IReadOnlyList<RpcFunctionMetadata>> LoadFunctionsAsync(string appFolder, CancellationToken cancellationToken)
    {
        var asked = new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = appFolder } };
        var metadata = (await AskAsync(asked, cancellationToken)).FunctionMetadataResponse;
        ThrowIfFailed(metadata.Result, "The worker does not tell its functions");
        var loaded = new List<RpcFunctionMetadata>();
        foreach (var function in metadata.FunctionMetadataResults)
        {
            var load = new FunctionLoadRequest { FunctionId = function.FunctionId, Metadata = function };
            var response = (await AskAsync(new StreamingMessage { FunctionLoadRequest = load }, cancellationToken)).FunctionLoadResponse;
            if (response.Result.Status == StatusResult.Types.Status.Success) loaded.Add(function);
            else Logs.FunctionNotLoaded(logs.CreateLogger<WorkerChannel>(), function.Name, response.Result.Exception?.Message);
        }
        // The worker reports its HTTP URL before its server listens.
        while (Http is { } http && !await FreePort.AnswersAsync(http.Port, cancellationToken)) await Task.Delay(20, cancellationToken);
        return loaded;
    }

    /// <summary>Invokes a function in the worker.</summary>
    /// <param name="function">Function name, for log categories.</param>
    /// <exception cref="FunctionFailedException">The function failed.</exception>
    /// <exception cref="WorkerProcessExitException">The worker ended before it answered.</exception>
    public async Task<InvocationResponse> InvokeAsync(string function, InvocationRequest request, CancellationToken cancellationToken)
    {
        _functions[request.InvocationId] = function;
        try
        {
            // Cancellation only asks the function to stop: the worker still sends a response, which is awaited.
            await using var cancelled = cancellationToken.UnsafeRegister(_ => Tell(
                new StreamingMessage { InvocationCancel = new InvocationCancel { InvocationId = request.InvocationId } }), null);
            var answer = await AskAsync(new StreamingMessage { InvocationRequest = request }, CancellationToken.None);
            var response = answer.InvocationResponse;
            return response.Result.Status == StatusResult.Types.Status.Success
                ? response
                : throw new FunctionFailedException(response.Result);
        }
        finally
        {
            _functions.TryRemove(request.InvocationId, out _);
        }
    }

    /// <summary>Asks the worker to exit with code 0.</summary>
    public void Terminate() => Tell(new StreamingMessage { WorkerTerminate = new WorkerTerminate() });

    /// <summary>Reads the worker's messages until its stream ends.</summary>
    public async Task RunAsync(IAsyncStreamReader<StreamingMessage> incoming, CancellationToken cancellationToken)
    {
        try
        {
            while (await incoming.MoveNext(cancellationToken)) Receive(incoming.Current);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException)
        {
            // The worker is gone; the finally block fails the pending requests.
        }
        finally
        {
            // Closed first: AskAsync adds its request and then looks at Closed, so that one of the two fails a request of this moment.
            _closed.TrySetResult();
            foreach (var pending in _pending.Values) pending.TrySetException(new WorkerProcessExitException());
        }
    }

    private void Receive(StreamingMessage message)
    {
        if (message.ContentCase == StreamingMessage.ContentOneofCase.RpcLog) Log(message.RpcLog);
        else if (_pending.TryRemove(message.RequestId, out var pending)) pending.TrySetResult(message);
    }

    private async Task<StreamingMessage> AskAsync(StreamingMessage request, CancellationToken cancellationToken)
    {
        request.RequestId = Guid.NewGuid().ToString();
        var answer = new TaskCompletionSource<StreamingMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[request.RequestId] = answer;
        if (Closed.IsCompleted) answer.TrySetException(new WorkerProcessExitException());
        try
        {
            await SendAsync(request);
            return await answer.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            _pending.TryRemove(request.RequestId, out _);
        }
    }

    // Not awaited: a cancellation callback cannot wait, and Terminate's caller waits for the process instead.
    private async void Tell(StreamingMessage message)
    {
        try
        {
            await SendAsync(message);
        }
        catch (WorkerProcessExitException)
        {
            // The worker is gone, so there is no need to tell it.
        }
    }

    private async Task SendAsync(StreamingMessage message)
    {
        await _writing.WaitAsync();
        try
        {
            await outgoing.WriteAsync(message);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or RpcException or OperationCanceledException)
        {
            throw new WorkerProcessExitException();
        }
        finally
        {
            _writing.Release();
        }
    }

    private void Log(RpcLog log)
    {
        var category = _functions.TryGetValue(log.InvocationId, out var function) ? $"Function.{function}.User" : log.Category;
        var logger = logs.CreateLogger(category.Length == 0 ? "Worker" : category);
        var detail = log.Exception is { } failure ? $"\n{failure.Message}\n{failure.StackTrace}" : "";
        // RpcLog.Level and LogLevel have the same numbers, 0 for Trace to 6 for None.
        Logs.OfWorker(logger, (LogLevel)log.Level, log.Message + detail);
    }

    private static void ThrowIfFailed(StatusResult result, string what)
    {
        if (result.Status != StatusResult.Types.Status.Success)
            throw new InvalidOperationException($"{what}: {result.Exception?.Message ?? result.Result}");
    }
}

/// <summary>
/// A function failed in the worker. The Durable Task extension parses type, message and stack from exactly this message format.
/// </summary>
internal sealed class FunctionFailedException(StatusResult result)
    : Exception($"Result: {result.Status}\nException: {result.Exception?.Message}\nStack: {result.Exception?.StackTrace}");

/// <summary>
/// The worker ended before it answered. The Durable Task extension recognizes this type by its name and repeats the orchestrator's turn
/// instead of failing the orchestration.
/// </summary>
internal sealed class WorkerProcessExitException() : Exception("The worker process ended before it answered.");
