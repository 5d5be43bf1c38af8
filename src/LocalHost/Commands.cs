using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Uploads;

namespace FunctionsPipeline.LocalHost;

/// <summary><c>up</c>: runs the complete local stack until Ctrl-C.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var hub = new Option<Uri?>("--hub")
        {
            Description =
                "A Hugging Face hub to use, such as https://huggingface.co (HF_TOKEN is used when set). Left out: the sample hub.",
            CustomParser = ParseUrl,
        };
        var rows = new Option<int>("--rows") { Description = "Rows of the sample dataset.", DefaultValueFactory = _ => 600 };
        var images = new Option<DirectoryInfo?>("--images")
        {
            Description = "A folder of pictures, {split}/{label}/*.jpg, that the sample hub serves instead of drawn garments.",
        };
        var wait = RunCommand.WaitForDebugger();
        var command = new Command(
            "up", "Starts storage, the sample hub, the GPU worker and the Functions host, and keeps them running until Ctrl-C.")
        {
            hub, rows, images, wait,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var options = new LocalStackOptions
            {
                StateFolder = Path.Combine(Applications.StateFolder, "up"),
                HostPort = 7071,
                WorkerPort = 7072,
                HubPort = 7073,
                BlobPort = 10000,
                Hub = arguments.GetValue(hub),
                Rows = arguments.GetValue(rows),
                Images = arguments.GetValue(images)?.FullName,
                HoldBack = 8,
                WaitForDebugger = arguments.GetValue(wait),
            };
            using var folder = FolderLock.Acquire(options.StateFolder);
            await using var stack = await LocalStack.StartAsync(options, Console.WriteLine, cancellationToken);
            Console.WriteLine(Hints(stack, new RequestHint(stack.Host)));
            try
            {
                await stack.KeepRunningAsync(Console.WriteLine, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("stopping");
            }
            return 0;
        });
        return command;
    }

    /// <summary>Parses a URL, which System.CommandLine cannot do by itself.</summary>
    public static Uri? ParseUrl(ArgumentResult result)
    {
        var text = result.Tokens.Single().Value;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps))
            return url;
        result.AddError($"'{text}' is no http or https URL");
        return null;
    }

    private static string Hints(LocalStack stack, RequestHint hint) => $$"""

        Look at it, start runs, upload images: {{stack.Host}}api/dashboard

        Start a run from here:
        {{hint.Run($$"""
            { "repo": "{{stack.Dataset}}",
                             "columns": {{(stack.Options.Images is null
                             ? """{ "image": "imageurl", "title": "title", "category": "category3_code", "price": "full_price" }"""
                             : """{ "image": "image", "category": "label" }""")}} }
            """, "first")}}
        Follow it:
        {{hint.Call("runs/first")}}
        Train on a catalog of your own: ./pipeline ingest DIR
        Then upload an image to the container product-images with any storage client and read predictions/NAME.json.
        The connection string is UseDevelopmentStorage=true; images that are in no split are in {{stack.Options.HeldOutFolder}}.
        Logs are in {{stack.Options.LogFolder}}. Ctrl-C stops everything.
        """;
}

/// <summary><c>demo</c>: runs the complete pipeline on sample data and checks the results.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var images = new Option<DirectoryInfo?>("--images")
        {
            Description = "A folder of pictures, {split}/{label}/*.jpg. Left out: drawn garments with title, category and price.",
        };
        var catalog = new Option<DirectoryInfo?>("--catalog")
        {
            Description = "A folder with a dataset of yours, as ./pipeline ingest takes it: it is uploaded to a container and read from " +
                "there. At most --rows of its rows are used.",
        };
        var columns = new Option<string?>("--columns")
        {
            Description = "Columns of the catalog, as in a request. Left out: guessed.",
            HelpName = "JSON",
        };
        var rows = new Option<int>("--rows") { Description = "Rows of the dataset.", DefaultValueFactory = _ => 800 };
        var faults = new Option<bool>("--faults")
        {
            Description =
                "Have the sample hub fail as real ones do: of the pictures 1 % are gone, 1 % busy at first, 1 % stall, 1 % are damaged, " +
                "and a connection breaks. What became of each is checked.",
        };
        var minutes = new Option<double?>("--minutes")
        {
            Description = "Training time at most, in minutes. Left out: what the sample needs.",
        };
        var training = new Option<FileInfo?>("--training")
        {
            Description =
                "A JSON file with training settings, as in the request of a run ('./pipeline worker train --help' explains them). " +
                "Left out: what the sample needs.",
        };
        images.Validators.Add(result =>
        {
            if (result.GetValue(images) is { Exists: false } folder) result.AddError($"--images: there is no folder {folder.FullName}");
        });
        catalog.Validators.Add(result =>
        {
            if (result.GetValue(catalog) is not { } folder) return;
            if (!folder.Exists) result.AddError($"--catalog: there is no folder {folder.FullName}");
            if (result.GetValue(images) is not null || result.GetValue(faults))
                result.AddError("--catalog: goes neither with --images nor with --faults, which are about the sample hub");
        });
        columns.Validators.Add(result =>
        {
            try
            {
                if (result.GetValue(columns) is { } json) IngestCommand.ReadColumns(json);
            }
            catch (JsonException e)
            {
                result.AddError($"--columns: {PipelineJson.Explain(e)}");
            }
        });
        rows.Validators.Add(result =>
        {
            if (result.GetValue(rows) < 100)
                result.AddError("--rows: at least 100, so that there is something to learn from and to validate on");
        });
        var command = new Command(
            "demo", "Ingests a sample dataset, trains a tiny model on it, uploads new images, and shows what it reads in them.")
        {
            images, catalog, columns, rows, faults, minutes, training,
        };
        training.Validators.Add(result =>
        {
            try
            {
                if (result.GetValue(training) is { } file) ReadTraining(file);
            }
            catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
            {
                result.AddError($"--training: {(e is JsonException json ? PipelineJson.Explain(json) : e.Message)}");
            }
        });
        command.SetAction((arguments, cancellationToken) => DemoScenario.RunAsync(
            new DemoOptions
            {
                Images = arguments.GetValue(images)?.FullName,
                Catalog = arguments.GetValue(catalog)?.FullName,
                Columns = arguments.GetValue(columns) is { } json ? IngestCommand.ReadColumns(json) : null,
                Rows = arguments.GetValue(rows),
                Faults = arguments.GetValue(faults),
                Minutes = arguments.GetValue(minutes),
                Training = arguments.GetValue(training) is { } file ? ReadTraining(file) : null,
                StateFolder = Path.Combine(Applications.StateFolder, "demo"),
            },
            cancellationToken));
        return command;
    }

    private static TrainingSettings ReadTraining(FileInfo file) =>
        JsonSerializer.Deserialize<TrainingSettings>(File.ReadAllBytes(file.FullName), PipelineJson.Options)
        ?? throw new JsonException("it holds null");
}

/// <summary><c>run</c>: runs one Functions app, with the settings of the environment.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo?>("DIR")
        {
            Description = "Build output of an isolated Functions app, with worker.config.json and host.json. Left out: the pipeline's app.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var port = new Option<int>("--port") { Description = "TCP port; 0 takes a free one.", DefaultValueFactory = _ => 7071 };
        var listen = new Option<IPAddress>("--listen")
        {
            Description = "IP address to listen on. On any but loopback the host asks for a key, which it prints.",
            DefaultValueFactory = _ => IPAddress.Loopback,
            CustomParser = result =>
            {
                if (IPAddress.TryParse(result.Tokens.Single().Value, out var address)) return address;
                result.AddError($"--listen: '{result.Tokens.Single().Value}' is no IP address");
                return null;
            },
        };
        var wait = WaitForDebugger();
        var command = new Command("run", """
            Runs a Functions app alone, until Ctrl-C: HTTP, blob, queue, timer, orchestration, activity and entity triggers. Its settings
            come from the environment, as in Azure: AzureWebJobsStorage (a connection string) and whatever else the app asks for.
            """)
        { folder, port, listen, wait };
        command.Aliases.Add("host");
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var options = new FunctionsHostOptions
            {
                AppFolder = arguments.GetValue(folder)?.FullName ?? Applications.FunctionApp,
                Port = arguments.GetValue(port),
                Listen = arguments.GetValue(listen)!,
                WaitForDebugger = arguments.GetValue(wait),
            };
            await using var host = await FunctionsHost.StartAsync(options, cancellationToken);
            Console.WriteLine($"functions listening on {host.Url}");
            if (host.Key is { } key) Console.WriteLine($"requests must bring the header x-functions-key: {key}");
            if (await Task.WhenAny(host.Failure, Task.Delay(Timeout.Infinite, cancellationToken)) == host.Failure)
                throw new InvalidOperationException($"The host cannot continue: {(await host.Failure).Message}", await host.Failure);
            return 0;
        });
        return command;
    }

    /// <summary>Creates an option that <c>up</c> shares.</summary>
    public static Option<bool> WaitForDebugger() => new("--wait-for-debugger")
    {
        Description = "Hold the worker, for a minute at most, until a debugger is attached to it; its process id is logged.",
    };
}
