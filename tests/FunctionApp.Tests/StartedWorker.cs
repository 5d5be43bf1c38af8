using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Worker;
using FunctionsPipeline.LocalHost.Worker.Messages;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>The app's built worker process, spoken to as a Functions host does, with no host behind.</summary>
internal sealed class StartedWorker : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WorkerGateway _gateway;
    private readonly WorkerProcess _process;
    private readonly WorkerChannel _channel;
    private readonly HttpClient _http;
    private readonly DirectoryInfo _home;

    private StartedWorker(
        WorkerGateway gateway, WorkerProcess process, DirectoryInfo home, WorkerChannel channel,
        IReadOnlyList<RpcFunctionMetadata> functions)
    {
        (_gateway, _process, _home, _channel, Functions) = (gateway, process, home, channel, functions);
        _http = new HttpClient { BaseAddress = channel.Http };
    }

    /// <summary>What it answers to the host's question for the app's functions.</summary>
    public IReadOnlyList<RpcFunctionMetadata> Functions { get; }

    /// <exception cref="InvalidOperationException">It ended; the message has the end of its output.</exception>
    public static async Task<StartedWorker> StartAsync(params IEnumerable<(string Name, string Value)> settings)
    {
        using var limit = new CancellationTokenSource(Patience);
        var gateway = await WorkerGateway.StartAsync(NullLoggerFactory.Instance, limit.Token);
        // It writes keys there.
        var home = Directory.CreateTempSubdirectory("worker-");
        var environment = new Dictionary<string, string?>
        {
            ["HOME"] = home.FullName,
            ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
            ["FUNCTIONS_APPLICATION_DIRECTORY"] = Applications.FunctionApp,
            ["FUNCTIONS_WORKER_DIRECTORY"] = Applications.FunctionApp,
        };
        foreach (var (name, value) in settings) environment[name] = value;
        var process = WorkerProcess.Start(Applications.FunctionApp, gateway.Address, environment, NullLogger.Instance);
        try
        {
            var accepting = gateway.AcceptAsync(process.Id, limit.Token);
            var exit = process.WaitForExitAsync();
            if (await Task.WhenAny(accepting, exit) == exit) throw new InvalidOperationException(await exit);
            var channel = await accepting;
            await channel.InitializeAsync(Applications.FunctionApp, limit.Token);
            var functions = await channel.LoadFunctionsAsync(Applications.FunctionApp, limit.Token);
            return new StartedWorker(gateway, process, home, channel, functions);
        }
        catch
        {
            await EndAsync(gateway, process, home);
            throw;
        }
    }

    /// <summary>Calls an HTTP function by both halves of its invocation: the message, and the request that the host forwards.</summary>
    public async Task<HttpResponseMessage> GetAsync(string function, string path)
    {
        using var limit = new CancellationTokenSource(Patience);
        var invocation = new InvocationRequest
        {
            InvocationId = Guid.NewGuid().ToString(),
            FunctionId = Functions.Single(metadata => metadata.Name == function).FunctionId,
            TraceContext = new RpcTraceContext(),
            InputData = { new ParameterBinding { Name = "request", Data = new TypedData { Http = new RpcHttp() } } },
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("x-ms-invocation-id", invocation.InvocationId);
        var answer = _http.SendAsync(request, limit.Token);
        await Task.WhenAll(answer, _channel.InvokeAsync(function, invocation, limit.Token));
        return await answer;
    }

    /// <summary>Asks it to end.</summary>
    /// <returns>Its exit code and the end of its output.</returns>
    public async Task<string> TerminateAsync()
    {
        _channel.Terminate();
        return await _process.WaitForExitAsync().WaitAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await EndAsync(_gateway, _process, _home);
    }

    private static async Task EndAsync(WorkerGateway gateway, WorkerProcess process, DirectoryInfo home)
    {
        process.Kill(withChildren: true);
        await process.WaitForExitAsync();
        process.Dispose();
        await gateway.DisposeAsync();
        home.Delete(recursive: true);
    }
}
