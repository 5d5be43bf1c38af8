using System.CommandLine;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost;

/// <summary><c>up</c>: runs the complete local stack until Ctrl-C.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var hub = new Option<Uri?>("--hub")
        {
            Description = "A Hugging Face hub to use, such as https://huggingface.co (HF_TOKEN is used when set). Left out: the sample hub.",
        };
        var rows = new Option<int>("--rows") { Description = "Rows of the sample dataset.", DefaultValueFactory = _ => 600 };
        var images = new Option<DirectoryInfo?>("--images")
        {
            Description = "A folder of pictures, {split}/{label}/*.jpg, that the sample hub serves instead of drawn garments.",
        };
        var wait = RunCommand.WaitForDebugger();
        var command = new Command("up", "Starts storage, the sample hub, the GPU worker and the Functions host, and keeps them running until Ctrl-C.")
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
            Console.WriteLine(Hints(stack));
            try
            {
                await stack.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("stopping");
            }
            return 0;
        });
        return command;
    }

    private static string Hints(LocalStack stack) => $$"""

        Start a run:
          curl -s {{stack.Host}}api/runs -H 'Content-Type: application/json' -d '{
            "run": "first",
            "dataset": { "repo": "{{stack.Dataset}}",
                         "columns": {{(stack.Options.Images is null
                             ? """{ "image": "imageurl", "title": "title", "category": "category3_code", "price": "full_price" }"""
                             : """{ "image": "image", "category": "label" }""")}} },
            "baseModel": { "repo": "{{LocalStack.BaseModel}}" },
            "training": { "epochs": 20, "batchSize": 8, "learningRate": 0.002, "numCrops": 1 } }'
        Follow it:
          curl -s {{stack.Host}}api/runs/first
        Then upload an image to the container product-images with any storage client and read predictions/NAME.json.
        The connection string is UseDevelopmentStorage=true; images that are in no split are in {{stack.Options.HeldOutFolder}}.
        Logs are in {{stack.Options.LogFolder}}. Ctrl-C stops everything.
        """;
}
