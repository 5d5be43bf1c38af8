using System.CommandLine;

namespace FunctionsPipeline.SampleData;

/// <summary>The command <c>hub</c>: serves until it is stopped.</summary>
internal static class HubCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port")
        {
            Description = "Port on 127.0.0.1; 0 takes a free one, and the line printed at the start says which.",
            DefaultValueFactory = _ => 0,
        };
        var heldOut = new Option<string?>("--held-out")
        {
            Description = "Folder for the pictures kept out, with truth.jsonl saying what they show.",
            HelpName = "DIR",
        };
        var models = new Option<string?>("--models")
        {
            Description = "Folder of model folders; each is served as samples/{its name}.",
            HelpName = "DIR",
        };
        var faults = new Option<bool>("--faults")
        {
            Description = "Serve as on a bad day: of the pictures behind image URLs 1 % answer 404, 1 % answer 503 once, 1 % stall and " +
                "1 % are damaged, and a connection is cut once in the middle of each Parquet file (with --images, whose pictures are in the " +
                "Parquet files, only that). GET /faults lists what has happened.",
        };
        var command = new Command("hub", """
            Serves a dataset, and base checkpoints, with the HTTP API of the Hugging Face Hub (point HF_ENDPOINT at it).

            Without --images the dataset is samples/garments: drawn garments with the columns of a real price catalog. With --images it is
            samples/{name of the folder}: the folder's pictures, {split}/{label}/*.jpg or {label}/*.jpg, in Parquet with their labels.

            Example: hub --port 8099 --rows 600 --hold-back 8 --held-out /tmp/held-out
            """)
        { port, CatalogOptions.Rows, CatalogOptions.Images, models, CatalogOptions.Seed, CatalogOptions.HoldBack, heldOut, faults };
        command.SetAction((result, cancellationToken) => RunAsync(new HubServerOptions
        {
            Port = result.GetValue(port),
            Rows = result.GetValue(CatalogOptions.Rows),
            Images = result.GetValue(CatalogOptions.Images),
            Models = result.GetValue(models),
            Seed = result.GetValue(CatalogOptions.Seed),
            HoldBack = result.GetValue(CatalogOptions.HoldBack),
            HeldOut = result.GetValue(heldOut),
            Faults = result.GetValue(faults) ? FaultPresets.BadDay : [],
        }, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(HubServerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await using var hub = await SampleHub.StartAsync(options, cancellationToken);
            Console.WriteLine($"hub listening on {hub.Address.GetLeftPart(UriPartial.Authority)}");
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }
}
