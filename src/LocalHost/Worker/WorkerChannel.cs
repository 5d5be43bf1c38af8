using System.Collections.Concurrent;
using FunctionsPipeline.LocalHost.Worker.Messages;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RpcException = Grpc.Core.RpcException;

namespace FunctionsPipeline.LocalHost.Worker;

/// <summary>gRPC stream of one worker. Requests and responses are matched by their <c>request_id</c>.</summary>
internal sealed class WorkerChannel(IServerStreamWriter<StreamingMessage> outgoing, ILoggerFactory logs)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<StreamingMessage>> _pending = new();
    private readonly ConcurrentDictionary<string, string> _functions = new();
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
        request.Capabilities.Add("V2Compatable", "true");
        var response = (await AskAsync(new StreamingMessage { WorkerInitRequest = request }, cancellationToken)).WorkerInitResponse;
        ThrowIfFailed(response.Result, "The worker did not initialize");
        if (response.Capabilities.TryGetValue("HttpUri", out var http)) Http = new Uri(http);
    }

    /// <summary>Requests the app's functions and has the worker load them.</summary>
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
        Logs.OfWorker(logger, (LogLevel)log.Level, log.Message + detail);
    }

    private static void ThrowIfFailed(StatusResult result, string what)
    {
        if (result.Status != StatusResult.Types.Status.Success)
            throw new InvalidOperationException($"{what}: {result.Exception?.Message ?? result.Result}");
    }
}
