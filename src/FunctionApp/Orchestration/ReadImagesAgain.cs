using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>Orchestrator that has all images read again whose documents pass a filter, several at a time.</summary>
public static class ReadImagesAgain
{
    private const int ImagesPerPage = 100;

    // Fewer than the requests of one instance of the app, so that new uploads find a free one.
    private const int ImagesAtOnce = 6;

    [Function(nameof(ReadImagesAgain))]
    public static async Task<ReadAgainProgress> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var (filter, continuation, progress) = context.GetInput<ReadAgainInput>()!;
        var page = await context.CallActivityAsync<DocumentPage>(
            nameof(ReadingActivities.ListDocuments), new DocumentPageInput(filter, ImagesPerPage, continuation), Retries.Transient);
        var read = progress.Read;
        await BoundedFanOut.ForEachAsync(page.Images, () => ImagesAtOnce,
            image => context.CallSubOrchestratorAsync<ReadingState>(nameof(ReadImage), image, new SubOrchestrationOptions(
                instanceId: ImageReadings.Id(image.Image, image.ETag, context.InstanceId))),
            _ => context.SetCustomStatus(new ReadAgainProgress(++read)));
        progress = new ReadAgainProgress(read);
        if (page.Continuation is { } next) context.ContinueAsNew(new ReadAgainInput(filter, next, progress));
        return progress;
    }
}

/// <summary>Input of <see cref="ReadImagesAgain"/>, and its state between two pages.</summary>
public sealed record ReadAgainInput(PredictionFilter Filter, string? Continuation, ReadAgainProgress Progress);

/// <param name="Read">Number of images that have been read again.</param>
public sealed record ReadAgainProgress(int Read);
