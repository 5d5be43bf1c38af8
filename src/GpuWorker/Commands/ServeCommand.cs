using System.CommandLine;
using System.Net;
using FunctionsPipeline.GpuWorker.Serving;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>serve</c>: answers prediction requests over HTTP.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port") { Description = "Port to listen on; 0 picks a free one.", DefaultValueFactory = _ => 8080 };
        port.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 65535) result.AddError("--port must be from 0 to 65535.");
        });
        var host = new Option<IPAddress>("--host")
        {
            Description = "Address to listen on; 0.0.0.0 in a container.",
            DefaultValueFactory = _ => IPAddress.Loopback,
            CustomParser = result =>
            {
                if (IPAddress.TryParse(result.Tokens[0].Value, out var address)) return address;
                result.AddError($"--host must be an IP address; '{result.Tokens[0].Value}' is none.");
                return null;
            },
        };
        var cache = SharedOptions.Cache();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var command = new Command("serve",
            """
            Answers what uploaded images show, with the model that models/current.json in storage names; follows it when it moves.

            POST /predict {"blob": "shoes/1.jpg", "etag": "…"}
              reads the image from the container product-images; 200 with a prediction document (status rejected when it is no image),
              404 gone, 412 changed, 503 no model yet
            GET /livez
              200 while it is up

            Storage is the setting PipelineStorage: a connection string, or PipelineStorage__blobServiceUri with the identity of the
            machine.

            Example: PipelineStorage=UseDevelopmentStorage=true serve --port 8080
            """)
        { port, host, cache, threads, device };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var endpoint = new IPEndPoint(parsed.GetValue(host)!, parsed.GetValue(port));
            await using var app = PredictionServer.Create(
                endpoint, parsed.GetValue(cache)!.FullName, SharedOptions.Resolve(parsed.GetValue(device)));
            await app.StartAsync(cancellationToken);
            Console.WriteLine($"worker listening on {app.Urls.First()}");
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // SIGTERM or Ctrl-C: the normal end.
            }
            // HostOptions.ShutdownTimeout bounds the stop: 30 seconds unless it is configured.
            await app.StopAsync(CancellationToken.None);
            return CommandLine.Done;
        });
        return command;
    }
}
