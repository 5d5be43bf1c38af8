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
        var batch = SharedOptions.AtLeast("--batch", 1, 8, "Images that are answered together at most.");
        var wait = SharedOptions.AtLeast("--batch-wait", 0, 20, "Milliseconds that a batch waits for more images after its first.");
        var queue = SharedOptions.AtLeast("--queue", 1, 64, "Requests in progress at most; more are answered 429 with Retry-After.");
        var drain = new Option<bool>("--drain")
        {
            Description = "Free the old model before a new one is loaded, also where memory holds both.",
        };
        var free = SharedOptions.FreeAnswers();
        var cache = SharedOptions.Cache();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var precision = SharedOptions.Precision();
        var command = new Command("serve",
            """
            Answers what images show, with the model that models/current.json in storage names; follows it when it moves. A model that
            cannot be loaded or does not answer leaves the old one serving.

            POST /predict {"blob": "shoes/1.jpg", "etag": "…"}
              reads the image from the container product-images; 200 with a prediction (status rejected when it is no image), 404 gone,
              412 changed, 429 too many at once, 503 no model yet; the last two with Retry-After
            POST /predict with the bytes of an image
              the same for an image that is not in storage
            POST /v1/chat/completions, GET /v1/models, GET /v1/models/{model}
              as OpenAI's clients use them: model "current", one message with one image as data URL, and text; streamed or not, with
              max_tokens, temperature, top_p and seed. The model's own question, or none, is answered as by POST /predict, another one in
              free text
            POST /warm
              200 when a model serves, 202 while it is being loaded
            GET /livez, GET /readyz
              200 while it is up; 200 while a model serves, otherwise 503 with the reason
            GET /metrics
              metrics as Prometheus reads them

            Storage is the setting PipelineStorage: a connection string, or PipelineStorage__blobServiceUri with the identity of the
            machine. With the setting Worker__Key all but /livez and /readyz ask for Authorization: Bearer and that key; a --host that
            others can reach needs one.

            Example: PipelineStorage=UseDevelopmentStorage=true serve --port 8080
            """)
        { port, host, batch, wait, queue, drain, free, cache, threads, device, precision };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var computesOn = SharedOptions.Resolve(parsed.GetValue(device));
            await using var app = PredictionServer.Create(new ServingOptions
            {
                Endpoint = new IPEndPoint(parsed.GetValue(host)!, parsed.GetValue(port)),
                Cache = parsed.GetValue(cache)!.FullName,
                Device = computesOn,
                Precision = SharedOptions.Resolve(parsed.GetValue(precision), computesOn),
                FreeAnswers = parsed.GetValue(free),
                Batch = parsed.GetValue(batch),
                BatchWait = TimeSpan.FromMilliseconds(parsed.GetValue(wait)),
                Queue = parsed.GetValue(queue),
                Drain = parsed.GetValue(drain),
            });
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
