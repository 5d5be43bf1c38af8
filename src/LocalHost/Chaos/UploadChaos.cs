using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using Spectre.Console;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Uploads and deletes images while faults strike, and checks that each image that is left has the right document.</summary>
internal sealed class UploadChaos(LocalStack stack, BlobServiceClient blobs, HttpClient http, ProgressScreen screen)
{
    private const string PoisonQueue = "webjobs-blobtrigger-poison";

    // Uploads ahead of the documents, as a share of all: the faults strike among uploads as well as among documents.
    private const double Lead = 0.3;

    // The GPU worker keeps the last two models at hand, so that it must fetch the third one.
    private const string Unloaded = "chaos-c";
    private static readonly string[] Versions = ["chaos-a", "chaos-b"];
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    // A document may be written just before its image is deleted; times of blobs are whole seconds.
    private static readonly TimeSpan DeletionTolerance = TimeSpan.FromSeconds(2);

    private readonly StoredDocuments _stored = new(blobs);

    /// <returns>The promises, and if each was kept.</returns>
    public async Task<IReadOnlyList<Promise>> RunAsync(
        ChaosOptions options, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var models = new RandomModels(stack, blobs);
        var pictures = await PrepareAsync(models, cancellationToken);
        var plan = ChaosPlan.Draw(options.Seed, options.Uploads, pictures.Count, options.Faults);
        foreach (var fault in plan.Faults)
            screen.Say(string.Create(CultureInfo.InvariantCulture, $"planned: after {fault.After:P0} of the documents {fault.Fault}"));
        var injector = new FaultInjector(stack, models, Versions, Unloaded);
        List<ChaosClient> clients = [.. plan.Clients.Select(_ => new ChaosClient(blobs, pictures))];

        var clock = Stopwatch.StartNew();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        List<Task> work =
        [
            StrikeAsync(plan, injector, stop.Token),
            .. clients.Zip(plan.Clients, (client, steps) => client.RunAsync(
                steps, async turn =>
                {
                    while (clients.Sum(other => other.Done) > (Progress(plan) + Lead) * plan.Uploads)
                        await Task.Delay(PollInterval / 10, turn);
                    await injector.WaitForClientsTurnAsync(turn);
                }, stop.Token)),
        ];
        var all = Task.WhenAll(work);
        var finished = false;
        while (!finished && clock.Elapsed < options.Limit && !all.IsFaulted)
        {
            await Task.Delay(PollInterval, cancellationToken);
            var isOver = all.IsCompletedSuccessfully;
            if (!await RefreshAsync(cancellationToken)) continue;
            var missing = Missing().Count;
            screen.Show(
                $"{clients.Sum(client => client.Done)} of {plan.Clients.Sum(steps => steps.Count)} steps of the clients, " +
                $"{_stored.Images.Count - missing} of {_stored.Images.Count} images have their document");
            finished = isOver && missing == 0;
        }
        await stop.CancelAsync();
        await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (all.IsFaulted) await all;
        console.Write(Summary(plan, clock.Elapsed));
        return await CheckAsync(plan, clients, pictures, finished, cancellationToken);
    }

    private double Progress(ChaosPlan plan) => (double)_stored.Documents.Count / plan.Names;

    /// <summary>Publishes the models and records what they answer undisturbed.</summary>
    private async Task<Pictures> PrepareAsync(RandomModels models, CancellationToken cancellationToken)
    {
        List<byte[]> files = [.. HeldOutImage.Load(stack.Options.HeldOutFolder)
            .Select(image => File.ReadAllBytes(Path.Combine(stack.Options.HeldOutFolder, image.File)))];
        var pictures = new Pictures(files);
        string[] inOrder = [Unloaded, .. Versions, Versions[0]];
        screen.Say($"asking {string.Join(", ", inOrder.Distinct())} for their undisturbed answers");
        await Task.WhenAll(inOrder.Distinct().Select(version => models.CreateAsync(version, seed: version[^1], cancellationToken)));
        foreach (var version in inOrder)
        {
            await models.ActivateAsync(version, cancellationToken);
            await stack.WaitUntilServedAsync(version, cancellationToken);
            for (var i = 0; i < files.Count && !pictures.Answers.ContainsKey((version, i)); i++)
                pictures.Answers[(version, i)] = await AnswerAsync(files[i], cancellationToken);
        }
        return pictures;
    }

    private async Task<string> AnswerAsync(byte[] picture, CancellationToken cancellationToken)
    {
        using var response = await http.PostAsync(new Uri(stack.Worker, "predict"), new ByteArrayContent(picture), cancellationToken);
        response.EnsureSuccessStatusCode();
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!["answer"]!.GetValue<string>();
    }

    private async Task StrikeAsync(ChaosPlan plan, FaultInjector injector, CancellationToken cancellationToken)
    {
        foreach (var (after, fault) in plan.Faults)
        {
            while (Progress(plan) < after) await Task.Delay(PollInterval / 10, cancellationToken);
            screen.Say($"fault: {await injector.InjectAsync(fault, cancellationToken)}");
        }
    }

    private async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _stored.RefreshAsync(cancellationToken);
            return true;
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            // The storage account is away.
            return false;
        }
    }

    private List<string> Missing() => [.. _stored.Images
        .Where(image => !(_stored.Documents.TryGetValue(image.Key, out var found) && PipelineClient.IsOf(found.Document, image.Value)))
        .Select(image => image.Key)];

    private async Task<IReadOnlyList<Promise>> CheckAsync(
        ChaosPlan plan, IReadOnlyList<ChaosClient> clients, Pictures pictures, bool finished,
        CancellationToken cancellationToken)
    {
        var left = clients.SelectMany(client => client.Left).ToDictionary();
        List<string> lost = [.. left.Where(name => name.Value.Upload is not null != _stored.Images.ContainsKey(name.Key))
            .Select(name => name.Key)];
        var missing = Missing();
        List<string> wrong = [.. _stored.Images.Keys.Except(missing).Except(lost)
            .Select(name => (Name: name, Mistake: pictures.Mistake(left[name].Upload!, _stored.Documents[name].Document)))
            .Where(image => image.Mistake is not null).Select(image => $"{image.Name} {image.Mistake}")];
        List<string> late = [.. _stored.Documents
            .Where(document => left.GetValueOrDefault(document.Key) is (null, var deleted)
                && document.Value.Written > deleted + DeletionTolerance)
            .Select(document => document.Key)];
        var poison = await CountPoisonAsync(cancellationToken);
        return
        [
            new Promise("all faults struck, and all images had their documents in time", finished, []),
            new Promise($"what clients left is what storage has ({left.Count} names)", lost.Count == 0, lost),
            new Promise(
                $"every image has the document of its version ({_stored.Images.Count - missing.Count} of {_stored.Images.Count})",
                missing.Count == 0, missing),
            new Promise("every document has the answer or the reason of its upload", wrong.Count == 0, wrong),
            new Promise("no document was written after the deletion of its image", late.Count == 0, late),
            new Promise($"nothing is in the queue {PoisonQueue} ({poison})", poison == 0, []),
        ];
    }

    private Table Summary(ChaosPlan plan, TimeSpan elapsed)
    {
        var table = new Table { Border = TableBorder.Rounded }.AddColumns("", "");
        void Row(string name, FormattableString value) => table.AddRow(name, FormattableString.Invariant(value));

        List<PredictionDocument> documents = [.. _stored.Documents.Values.Select(stored => stored.Document)];
        List<double> seconds = [.. documents.Select(document => document.QueueSeconds + document.Seconds).Order()];
        Row("uploads", $"{plan.Uploads} in {elapsed.TotalSeconds:0} s, {plan.Uploads / elapsed.TotalSeconds:0.0} a second");
        Row("faults", $"{string.Join(", ", plan.Faults.CountBy(fault => fault.Fault).Select(fault => $"{fault.Key} {fault.Value}"))}");
        Row("images at the end", $"{_stored.Images.Count}");
        foreach (var (status, count) in documents.CountBy(document => document.Status)) Row($"documents, {status}", $"{count}");
        foreach (var (model, count) in documents.CountBy(document => document.Model ?? "no model")) Row($"documents, {model}", $"{count}");
        Row("documents after several tries", $"{documents.Count(document => document.Tries > 1)}");
        Row("seconds from upload to answer: median", $"{Percentile(0.5):0.0}");
        Row("95th percentile", $"{Percentile(0.95):0.0}");
        Row("longest", $"{Percentile(1):0.0}");
        return table;

        double Percentile(double share) => seconds.Count == 0 ? 0 : seconds[(int)Math.Ceiling(share * seconds.Count) - 1];
    }

    private async Task<int> CountPoisonAsync(CancellationToken cancellationToken)
    {
        var queue = new QueueClient(stack.Storage, PoisonQueue);
        if (!await queue.ExistsAsync(cancellationToken)) return 0;
        return (await queue.GetPropertiesAsync(cancellationToken)).Value.ApproximateMessagesCount;
    }
}
