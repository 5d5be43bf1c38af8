using System.Collections.Concurrent;
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
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = null);
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        _app = builder.Build();
        _app.MapGrpcService<Service>();
    }

    /// <summary>URL that workers connect to.</summary>
    public Uri Address => new(_app.Urls.First());

    public static async Task<WorkerGateway> StartAsync(ILoggerFactory logs, CancellationToken cancellationToken)
    {
        var gateway = new WorkerGateway(logs);
        await gateway._app.StartAsync(cancellationToken);
        return gateway;
    }

    /// <summary>Waits until the worker with this id has opened its stream.</summary>
    public async Task<WorkerChannel> AcceptAsync(string workerId, CancellationToken cancellationToken)
    {
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
        using var impatient = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(impatient.Token);
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
