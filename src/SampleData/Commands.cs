using System.CommandLine;
using FunctionsPipeline.Contracts;

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
            Description = "Folder for the images kept out, with truth.jsonl saying what they show.",
            HelpName = "DIR",
        };
        var models = new Option<string?>("--models")
        {
            Description = "Folder of model folders; each is served as samples/{its name}.",
            HelpName = "DIR",
        };
        var faults = new Option<bool>("--faults")
        {
            Description = "Serve as on a bad day: of the images served by URL 1 % answer 404, 1 % answer 503 once, 1 % stall and " +
                "1 % are damaged, and a connection is cut once in the middle of each Parquet file (with --images, whose images are in " +
                "the Parquet files, only that). GET /faults lists what has happened.",
        };
        var command = new Command("hub", """
            Serves a dataset, and base checkpoints, with the HTTP API of the Hugging Face Hub (point HF_ENDPOINT at it).

            Without --images the dataset is samples/garments: drawn garments with the columns of a real price catalog. With --images it is
            samples/{name of the folder}: the folder's images, {split}/{label}/*.jpg or {label}/*.jpg, in Parquet with their labels.

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
            Console.WriteLine($"hub listening on {hub.Url.GetLeftPart(UriPartial.Authority)}");
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

/// <summary>The command <c>texts</c>: prints the question and the expected answer for each row of the split <c>train</c>.</summary>
internal static class TextsCommand
{
    public static Command Create()
    {
        var question = new Option<string>("--question")
        {
            Description = "The question.",
            DefaultValueFactory = _ => new TrainingSettings().Question,
        };
        var command = new Command("texts", """
            Prints the texts of the catalog's train split, for a tokenizer to learn from: for each row a line with the question and a
            line with the answer.

            Example: texts --rows 600 > texts.txt
            """)
        { CatalogOptions.Rows, CatalogOptions.Images, CatalogOptions.Seed, CatalogOptions.HoldBack, question };
        command.SetAction(result =>
        {
            try
            {
                var (rows, images) = (result.GetValue(CatalogOptions.Rows), result.GetValue(CatalogOptions.Images));
                foreach (var answer in Answers(rows, images, result.GetValue(CatalogOptions.HoldBack),
                    result.GetValue(CatalogOptions.Seed)))
                {
                    Console.Out.WriteLine(result.GetValue(question));
                    Console.Out.WriteLine(answer);
                }
                return 0;
            }
            catch (InvalidDataException e)
            {
                Console.Error.WriteLine(e.Message);
                return 1;
            }
        });
        return command;
    }

    private static IEnumerable<Answer> Answers(int? rows, string? images, int holdBack, int seed)
    {
        if (images is not null)
        {
            return ImageFolder.Open(images, rows, holdBack, seed).Images.Where(p => p.Split == "train")
                .Select(p => new Answer(null, p.Label, null));
        }
        var catalog = new GarmentCatalog(seed);
        return Enumerable.Range(0, rows ?? SampleHub.DefaultRows).Select(i => catalog[i].Garment)
            .Select(g => new Answer(g.Title, g.Category, g.Price));
    }
}

/// <summary>Command-line options that select the catalog.</summary>
internal static class CatalogOptions
{
    public static Option<int?> Rows { get; } = new("--rows")
    {
        Description = $"Rows in all; {SampleHub.DefaultRows} of the drawn catalog, or all images of the folder, when left out.",
    };

    public static Option<string?> Images { get; } = new("--images")
    {
        Description = "Folder of images to use instead of the drawn catalog.",
        HelpName = "DIR",
    };

    public static Option<int> Seed { get; } = new("--seed")
    {
        Description = "Decides what is drawn, and which images are taken.",
        DefaultValueFactory = _ => 0,
    };

    public static Option<int> HoldBack { get; } = new("--hold-back")
    {
        Description = "Images to keep out of every split.",
        DefaultValueFactory = _ => 0,
    };
}
