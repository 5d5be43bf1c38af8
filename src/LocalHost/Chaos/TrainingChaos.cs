using System.Net;
using System.Security.Cryptography;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Runs the same training twice, undisturbed and with kills, and compares the models.</summary>
internal sealed class TrainingChaos(LocalStack stack, BlobServiceClient blobs, PipelineClient client, ProgressScreen screen)
{
    private const string Calm = "calm";
    private const string Disturbed = "disturbed";
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    /// <param name="steps">Number of training steps.</param>
    /// <param name="killed">Programs to kill, at even distances: the project and its command.</param>
    public async Task<IReadOnlyList<Promise>> RunAsync(
        int steps, IReadOnlyList<(string Project, string Command)> killed, CancellationToken cancellationToken)
    {
        var calm = await TrainAsync(Calm, steps, [], cancellationToken);
        var disturbed = await TrainAsync(Disturbed, steps, killed, cancellationToken);
        return
        [
            new Promise($"the undisturbed run ends ({calm.RuntimeStatus})", calm.Outcome is not null, [calm.Error ?? ""]),
            new Promise(
                $"the run ends in the middle of which {string.Join(", ", killed.Select(program => program.Project))} are killed "
                    + $"({disturbed.RuntimeStatus})",
                disturbed.Outcome is not null, [disturbed.Error ?? ""]),
            new Promise(
                "both end with the same model, byte for byte",
                calm.Outcome is not null && disturbed.Outcome is not null
                    && (await HashesAsync(Calm, cancellationToken)).SequenceEqual(await HashesAsync(Disturbed, cancellationToken)),
                []),
        ];
    }

    private async Task<RunView> TrainAsync(
        string run, int steps, IReadOnlyList<(string Project, string Command)> killed, CancellationToken cancellationToken)
    {
        await StartAsync(Request(run, steps), cancellationToken);
        var striking = StrikeAsync(run, steps, killed, cancellationToken);
        while (true)
        {
            await Task.Delay(PollInterval, cancellationToken);
            try
            {
                var view = await client.GetRunAsync(run, cancellationToken);
                screen.Show($"run {run}: {view.Status?.Phase} step {view.Status?.Training?.Step} of {steps}", run);
                if (view.RuntimeStatus is not ("Completed" or "Failed" or "Terminated")) continue;
                await striking;
                return view;
            }
            catch (HttpRequestException)
            {
                // The host is being started again.
            }
        }
    }

    private async Task StartAsync(RunRequest request, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await client.StartRunAsync(request, cancellationToken);
                return;
            }
            catch (HttpRequestException e) when (e.StatusCode is null or >= HttpStatusCode.InternalServerError)
            {
                // The last fault among the uploads may have been the host's or its worker's, which is being started again.
                await Task.Delay(PollInterval, cancellationToken);
            }
        }
    }

    private async Task StrikeAsync(
        string run, int steps, IReadOnlyList<(string Project, string Command)> killed, CancellationToken cancellationToken)
    {
        foreach (var (i, (project, command)) in killed.Index())
        {
            while (await StepAsync(run, cancellationToken) < (i + 1) * steps / (killed.Count + 1))
                await Task.Delay(PollInterval / 10, cancellationToken);
            var process = await StackProcesses.FindAsync(stack.Options.StateFolder, project, command, cancellationToken);
            await process.KillAsync();
            screen.Say($"fault: kill -9 of {process.Id}, {project} {command}");
        }
    }

    private async Task<int> StepAsync(string run, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.GetMetricsAsync(run, cancellationToken)).Select(line => line.Step).DefaultIfEmpty().Max();
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return 0;
        }
    }

    private async Task<IReadOnlyList<string>> HashesAsync(string model, CancellationToken cancellationToken)
    {
        var container = blobs.GetBlobContainerClient(Containers.Models);
        var hashes = new List<string>();
        await foreach (var blob in container.GetBlobsAsync(new() { Prefix = $"{model}/" }, cancellationToken))
        {
            if (!blob.Name.EndsWith(".safetensors", StringComparison.Ordinal)) continue;
            var content = await container.GetBlobClient(blob.Name).DownloadContentAsync(cancellationToken);
            hashes.Add(Convert.ToHexString(SHA256.HashData(content.Value.Content)));
        }
        return hashes;
    }

    private RunRequest Request(string run, int steps) => new()
    {
        Run = run,
        Publish = false,
        Dataset = new DatasetRequest
        {
            Repo = stack.Dataset,
            Columns = new ColumnMapping { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price" },
        },
        BaseModel = new BaseModelRequest { Repo = LocalStack.BaseModel },
        Training = new TrainingSettings
        {
            MaxSteps = steps,
            BatchSize = 4,
            LearningRate = 1e-3,
            WarmupSteps = 2,
            NumCrops = 1,
            EvaluationSamples = 2,
            MaxAnswerTokens = 16,
            CheckpointEvery = Math.Max(1, steps / 10),
        },
    };
}
