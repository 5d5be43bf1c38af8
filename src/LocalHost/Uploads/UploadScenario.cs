using System.Diagnostics;
using System.Globalization;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary>Uploads files, several at once, and prints the documents that they get.</summary>
internal static class UploadScenario
{
    private const int AtOnce = 8;

    /// <param name="connection">Connection string of the storage account.</param>
    /// <param name="wait">True to wait for the documents.</param>
    /// <returns>Process exit code: 0 when every file was uploaded.</returns>
    /// <exception cref="InvalidOperationException">The storage account is unreachable, or no pipeline has ever used it.</exception>
    public static async Task<int> RunAsync(
        IReadOnlyList<ImageFile> files, string connection, bool wait, CancellationToken cancellationToken)
    {
        var blobs = await ConnectAsync(connection, cancellationToken);
        using var http = new HttpClient();
        var client = new PipelineClient(http, blobs);
        // Standard output is for the documents.
        var screen = new ProgressScreen(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }));
        var uploaded = await UploadAsync(files, client, screen, cancellationToken);
        if (wait) await PrintAsync(uploaded, client, screen, cancellationToken);
        return uploaded.Count == files.Count ? 0 : 1;
    }

    private static async Task<BlobServiceClient> ConnectAsync(string connection, CancellationToken cancellationToken)
    {
        var blobs = Client(connection);
        var images = Client(connection, HostStorage.FirstRequest()).GetBlobContainerClient(Containers.ProductImages);
        try
        {
            if (await images.ExistsAsync(cancellationToken)) return blobs;
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            var start = blobs.Uri.IsLoopback ? "Start ./pipeline up first, or name" : "Name";
            throw new InvalidOperationException(
                $"The storage account {blobs.Uri} is not reachable: {HostStorage.LastAttempt(e).Message.Split('\n')[0]}. " +
                $"{start} another account with --connection.", e);
        }
        throw new InvalidOperationException(
            $"The storage account {blobs.Uri} has no container {images.Name}: start the pipeline on this account first.");
    }

    /// <summary>Creates a client of a storage account.</summary>
    /// <exception cref="InvalidOperationException">The text is no connection string.</exception>
    public static BlobServiceClient Client(string connection, BlobClientOptions? options = null)
    {
        try
        {
            return new BlobServiceClient(connection, options);
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"This is no connection string: {e.Message}", e);
        }
    }

    private static async Task<Dictionary<string, ETag>> UploadAsync(
        IReadOnlyList<ImageFile> files, PipelineClient client, ProgressScreen screen, CancellationToken cancellationToken)
    {
        var uploaded = new Dictionary<string, ETag>();
        var clock = Stopwatch.StartNew();
        var bytes = 0L;
        await Parallel.ForEachAsync(
            files,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (file, stop) =>
            {
                try
                {
                    await using var content = File.OpenRead(file.Path);
                    var version = await client.UploadAsync(file.Name, content, stop);
                    lock (uploaded)
                    {
                        uploaded.Add(file.Name, version);
                        bytes += content.Length;
                        screen.Show(Progress());
                    }
                }
                catch (Exception e) when (e is RequestFailedException or AggregateException or IOException or UnauthorizedAccessException)
                {
                    screen.Say($"{file.Path} was not uploaded: {HostStorage.LastAttempt(e).Message.Split('\n')[0]}");
                }
            });
        screen.Say(Progress());
        return uploaded;

        string Progress() => string.Create(
            CultureInfo.InvariantCulture,
            $"{uploaded.Count} of {files.Count} images uploaded, {uploaded.Count / clock.Elapsed.TotalSeconds:0.0} images/s, " +
            $"{bytes / 1e6 / clock.Elapsed.TotalSeconds:0.0} MB/s");
    }

    private static async Task PrintAsync(
        Dictionary<string, ETag> uploaded, PipelineClient client, ProgressScreen screen, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var documents = 0;
        screen.Show(Progress());
        await foreach (var document in client.FollowPredictionsAsync(uploaded, cancellationToken))
        {
            documents++;
            screen.Close();
            Console.WriteLine(Line(document));
            screen.Show(Progress());
        }
        screen.Say(Progress());

        string Progress() => string.Create(
            CultureInfo.InvariantCulture,
            $"{documents} of {uploaded.Count} documents, {documents / clock.Elapsed.TotalSeconds:0.0} documents/s");
    }

    private static string Line(PredictionDocument document) => string.Join('\t', document.Status == PredictionStatus.Predicted
        ? [
            document.Image, "predicted", document.Title, document.Category, document.Price?.ToString(CultureInfo.InvariantCulture),
            document.Confidence?.Answer.ToString("0.00", CultureInfo.InvariantCulture),
            .. document.Fields?.Select(field => $"{field.Key}: {field.Value}") ?? [],
        ]
        : [document.Image, document.Status.ToString().ToLowerInvariant(), document.Reason, document.Detail]);
}
