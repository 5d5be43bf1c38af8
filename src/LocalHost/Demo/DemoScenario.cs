using System.Diagnostics;
using System.Text.Json;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.LocalHost.Uploads;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Demo;

/// <summary>Runs the demo as a user would proceed: start a run over HTTP, follow it, upload images, read the predictions.</summary>
public static class DemoScenario
{
    // The sample hub makes the base model's tokenizer of its own catalog, of this many rows.
    private const int CatalogTexts = 800;

    private static readonly TimeSpan PredictionLimit = TimeSpan.FromMinutes(2);

    /// <returns>Process exit code: 0 when every promise of the demo was kept.</returns>
    public static async Task<int> RunAsync(DemoOptions options, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        using var folder = FolderLock.Acquire(options.StateFolder);
        // The lock file is beside the folder and survives this.
        if (Directory.Exists(options.StateFolder)) Directory.Delete(options.StateFolder, recursive: true);
        var screen = new ProgressScreen(AnsiConsole.Console);
        screen.Say($"everything is written to {options.StateFolder}");
        await using var stack = await LocalStack.StartAsync(
            new LocalStackOptions
            {
                StateFolder = options.StateFolder,
                Images = options.Images,
                Rows = options.Catalog is null ? options.Rows : CatalogTexts,
                HoldBack = options.Uploads,
                Faults = options.Faults,
            },
            screen.Say, cancellationToken);

        using var http = new HttpClient { BaseAddress = stack.Host };
        // Azurite waits for open connections when it stops. All requests share one HTTP client, whose disposal closes them.
        var storage = new BlobServiceClient(stack.Storage, new BlobClientOptions { Transport = new HttpClientTransport(http) });
        var client = new PipelineClient(http, storage);
        if (options.Catalog is { } catalog)
        {
            await new FolderUpload(new DirectoryInfo(catalog), storage.GetBlobContainerClient(options.CatalogContainer), screen)
                .RunAsync(cancellationToken);
        }
        var request = options.Request(stack.Dataset, LocalStack.BaseModel);
        if (options.Catalog is not null) IngestScenario.Tell(await client.InspectAsync(request.Dataset, cancellationToken), screen);
        var accepted = await client.StartRunAsync(request, cancellationToken);
        screen.Say($"run           {accepted.Run}: {new Uri(stack.Host, accepted.StatusUrl)}");
        RunView? last = null;
        await foreach (var view in client.FollowAsync(accepted.Run, cancellationToken))
        {
            last = view;
            screen.Show(Describe(view), $"{view.Status?.Phase}/{view.Status?.Training?.Phase}");
        }
        if (last is not { Outcome: { } outcome })
        {
            screen.Say($"the run ended as {last?.RuntimeStatus}: {last?.Error}\nLogs: {stack.Options.LogFolder}");
            return 1;
        }

        var images = options.Catalog is null
            ? HeldOutImage.Load(stack.Options.HeldOutFolder).Select(image => (
                image, BinaryData.FromBytes(File.ReadAllBytes(Path.Combine(stack.Options.HeldOutFolder, image.File)))))
            : await UnseenAsync(client, outcome.Dataset, options.Uploads, cancellationToken);
        var uploads = await UploadAsync(client, [.. images], screen, cancellationToken);
        var runFolder = Path.Combine(options.StateFolder, "run");
        await client.SaveTrackingAsync(accepted.Run, runFolder, cancellationToken);
        var faults = options.Faults
            ? new FaultCheck(
                await client.GetFaultsAsync(stack.Hub, cancellationToken),
                await client.GetRowsAsync(outcome.Dataset, cancellationToken))
            : null;
        var report = new DemoReport(
            outcome, await client.GetMetricsAsync(accepted.Run, cancellationToken), uploads, faults, runFolder, clock.Elapsed,
            options.Catalog is null ? null : request.Training);
        return report.Print(AnsiConsole.Console);
    }

    private static async Task<IReadOnlyList<(HeldOutImage Truth, PredictionDocument? Prediction)>> UploadAsync(
        PipelineClient client, IReadOnlyList<(HeldOutImage Truth, BinaryData Content)> images, ProgressScreen screen,
        CancellationToken cancellationToken)
    {
        screen.Say($"uploading {images.Count} images that were not trained on to {Containers.ProductImages}/demo");
        foreach (var (truth, content) in images)
            await client.UploadAsync($"demo/{truth.File}", content.ToStream(), cancellationToken);
        return await Task.WhenAll(images.Select(async image =>
            (image.Truth, await client.WaitForPredictionAsync($"demo/{image.Truth.File}", PredictionLimit, cancellationToken))));
    }

    // Images of the test split, or of validation where there is none.
    private static async Task<IEnumerable<(HeldOutImage, BinaryData)>> UnseenAsync(
        PipelineClient client, IngestReport dataset, int count, CancellationToken cancellationToken)
    {
        var rows = (await client.GetRowsAsync(dataset, cancellationToken)).Where(row => row.State == RowState.Stored).ToList();
        var split = rows.Any(row => row.Split == Splits.Test) ? Splits.Test : Splits.Validation;
        return await Task.WhenAll(rows.Where(row => row.Split == split).DistinctBy(row => row.Sha256).Take(count).Select(async row => (
            new HeldOutImage($"{row.SourceSplit}-{row.Row}", row.Title, row.Category, row.Price) { Fields = row.Fields },
            await client.GetImageAsync(dataset, row.Sha256!, cancellationToken))));
    }

    private static string Describe(RunView view)
    {
        if (view.Status is not { } status) return view.RuntimeStatus;
        var parts = new List<string> { status.Phase.ToString().ToLowerInvariant() };
        if (status is { Phase: RunPhase.Ingesting, Rows: { } rows })
        {
            var counts = Invariant($"{rows.Stored} stored, {rows.Duplicates} duplicates, {rows.Rejected} rejected");
            parts.Add(Invariant($"{rows.Rows}/{status.TotalRows} rows, {counts}"));
        }
        if (status is { Phase: RunPhase.Ingesting, Rate: { } ingestRate })
        {
            var left = ingestRate.EtaSeconds is { } seconds ? Invariant($", {seconds:0} s left") : "";
            parts.Add(Invariant($"{ingestRate.RowsPerSecond:0.0} rows/s, {ingestRate.BytesPerSecond / 1e6:0.0} MB/s{left}"));
        }
        if (status is { Phase: RunPhase.Training, Training: { } training })
        {
            parts.Add(training.Phase);
            if (training.Steps > 0) parts.Add(Invariant($"step {training.Step}/{training.Steps}, epoch {training.Epoch:0.0}"));
            if (training.Loss is { } loss) parts.Add(Invariant($"loss {loss:0.000}"));
            if (training.ValidationLoss is { } validation) parts.Add(Invariant($"validation {validation:0.000}"));
            if (training.SamplesPerSecond is { } rate) parts.Add(Invariant($"{rate:0.0} samples/s"));
            if (training.EtaSeconds is { } eta) parts.Add(Invariant($"{eta:0} s left"));
        }
        else if (status.Message is { } message)
        {
            parts.Add(message);
        }
        return string.Join("  ", parts);
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>Options of the demo.</summary>
public sealed record DemoOptions
{
    /// <summary>Folder of images, <c>{split}/{label}/*.jpg</c>; null for drawn garments.</summary>
    public string? Images { get; init; }

    /// <summary>Folder with a dataset of the user's, in place of the sample hub's; null for that.</summary>
    public string? Catalog { get; init; }

    /// <summary>Columns of the catalog; guessed when null.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>Container that the catalog is uploaded to.</summary>
    public string CatalogContainer => IngestCommand.ContainerOf(new DirectoryInfo(Catalog!));

    /// <summary>Number of rows of the dataset.</summary>
    public int Rows { get; init; } = 800;

    /// <summary>
    /// True to have the sample hub inject faults: missing, busy, stalled and damaged images, and a connection that is cut.
    /// </summary>
    public bool Faults { get; init; }

    /// <summary>Number of images in no split that are uploaded after training.</summary>
    public int Uploads { get; init; } = 8;

    /// <summary>Maximum training time, in minutes.</summary>
    public double? Minutes { get; init; }

    /// <summary>Training settings; null for those that suit the sample.</summary>
    public TrainingSettings? Training { get; init; }

    /// <summary>Folder for all files of the demo, emptied at the start.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Builds the run request that the demo posts.</summary>
    /// <param name="dataset">Repository id of the sample hub's dataset.</param>
    /// <param name="baseModel">Repository id of the sample hub's base model.</param>
    public RunRequest Request(string dataset, string baseModel) => new()
    {
        Run = "demo",
        Dataset = Catalog is not null ? new DatasetRequest
        {
            Source = new DatasetSource { Container = CatalogContainer },
            Columns = Columns,
            MaxRows = Rows,
        }
        : new DatasetRequest
        {
            Repo = dataset,
            Columns = Images is null
                ? new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" }
                : new ColumnMapping { Image = "image", Category = "label" },
            // Photographs are too few for a test split, and the uploaded images are outside of every split anyway.
            TestFraction = Images is null ? 0.1 : 0,
        },
        BaseModel = new BaseModelRequest { Repo = baseModel },
        Training = Minutes is { } limit ? Settings with { MaxMinutes = limit } : Settings,
    };

    private bool IsDrawn => Images is null && Catalog is null;

    private TrainingSettings Settings => Training ?? new TrainingSettings
    {
        Epochs = 100,
        MaxSteps = IsDrawn ? 240 : 3000,
        MaxMinutes = IsDrawn ? 3 : 7,
        BatchSize = 8,
        // Photographs are few and differ in more than their labels, so they get a lower learning rate and random augmentation.
        LearningRate = IsDrawn ? 2e-3 : 5e-4,
        AugmentImages = !IsDrawn,
        WarmupSteps = 40,
        NumCrops = 1,
        EvaluationSamples = 100,
        // A catalog's own fields need as much room as there are.
        MaxAnswerTokens = Catalog is null ? 40 : null,
    };
}

/// <summary>Image that was not trained on, with its true title, category and price: a line of <c>truth.jsonl</c>.</summary>
public sealed record HeldOutImage(string File, string? Title, string? Category, double? Price)
{
    /// <summary>The true values of further fields; null for none.</summary>
    public FieldValues? Fields { get; init; }

    /// <summary>Reads the file <c>truth.jsonl</c> in a folder.</summary>
    public static IReadOnlyList<HeldOutImage> Load(string folder) =>
        [.. System.IO.File.ReadLines(Path.Combine(folder, "truth.jsonl"))
            .Select(line => JsonSerializer.Deserialize<HeldOutImage>(line, PipelineJson.Compact)!)];
}
