using System.Globalization;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Activities;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Orchestration;

/// <summary>
/// Orchestrates the reading of one image version: has the worker asked until it answers, the image is superseded, or patience ends, and
/// waits with durable timers in between. Each way but a superseded image ends with a document.
/// </summary>
public static class ReadImage
{
    /// <summary>Event that ends the present wait: a model has been published, or somebody asks for a retry.</summary>
    public const string AskNow = nameof(AskNow);

    // Three deaths are no accident: the worker's own restarts hit an image that is being read once in a while.
    private const int MostBroken = 3;

    // Keeps the history short: each request adds some ten events.
    private const int RequestsPerHistory = 10;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    [Function(nameof(ReadImage))]
    public static async Task<ReadingState> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var reading = context.GetInput<ImageReading>()!;
        Task? askNow = null;
        for (var requests = 0; requests < RequestsPerHistory; requests++)
        {
            var reply = await AskAsync(context, reading);
            if (reply.State is ReadingState.Answered or ReadingState.Superseded) return reply.State;
            var hoped = reading.Failure is null;
            if (hoped) reading = reading.After(reply, context.CurrentUtcDateTime);
            context.SetCustomStatus(new ReadingProgress(reply.State, reply.Reason, reading.Tries));
            // The next request writes the failed document. Only when that fails is there a reason to wait.
            if (hoped && reading.Failure is not null) continue;

            // One wait for the event over all pauses: a second one would not get the event that the first has taken.
            askNow ??= context.WaitForExternalEvent<object?>(AskNow);
            if (await Task.WhenAny(context.CreateTimer(reply.Pause, CancellationToken.None), askNow) != askNow) continue;
            askNow = null;
            // Pauses begin short again: a model that has just been published is still being loaded.
            reading = reading with { WaitsSince = context.CurrentUtcDateTime };
        }
        context.ContinueAsNew(reading);
        return ReadingState.Busy;
    }

    private static async Task<WorkerReply> AskAsync(TaskOrchestrationContext context, ImageReading reading)
    {
        try
        {
            return await context.CallActivityAsync<WorkerReply>(nameof(ReadingActivities.AskWorker), reading);
        }
        catch (TaskFailedException e)
        {
            // Storage does not answer, or the app stopped in the middle: as temporary as a worker that is away.
            var pause = PollInterval.After(context.CurrentUtcDateTime - reading.WaitsSince.UtcDateTime, 8, LongestPause);
            return new WorkerReply(ReadingState.Away, pause, e.FailureDetails.ErrorMessage);
        }
    }

    /// <summary>Returns the reading after a request without an answer.</summary>
    private static ImageReading After(this ImageReading reading, WorkerReply reply, DateTime now)
    {
        var broken = reading.Broken + (reply.State == ReadingState.Broken ? 1 : 0);
        // Requests that a busy worker refused, or this app itself, are no tries.
        var tries = reading.Tries + (reply.State == ReadingState.Busy ? 0 : 1);
        var failure = broken >= MostBroken
            ? new ReadingFailure(PredictionFailure.BreaksWorker, $"The last of {broken} times: {reply.Reason}")
            : now >= reading.Deadline.UtcDateTime ? OutOfPatience(reading, reply) : null;
        return reading with { Tries = tries, Broken = broken, Failure = failure };
    }

    private static ReadingFailure OutOfPatience(ImageReading reading, WorkerReply reply) => new(
        PredictionFailure.OutOfPatience,
        string.Create(CultureInfo.InvariantCulture, $"No answer until {reading.Deadline:u} (Predictions:Patience). Last: {reply.Reason}"));
}

/// <summary>Reading of one image version: input and state of <see cref="ReadImage"/>.</summary>
/// <param name="Image">Name in <see cref="Containers.ProductImages"/>.</param>
/// <param name="UploadedAt">Time from which the document's queue time counts.</param>
/// <param name="WaitsSince">Time from which pauses grow: the start, or the last time that the reading was woken.</param>
/// <param name="Deadline">Time from which the reading fails.</param>
/// <param name="Tries">Number of times that the worker was asked, without those when it was busy.</param>
/// <param name="Broken">Number of times that the worker died or ran out of time over the image.</param>
/// <param name="Failure">Reason for a failed document, which is to be written; null while there is hope.</param>
public sealed record ImageReading(
    string Image, string ETag, DateTimeOffset UploadedAt, DateTimeOffset WaitsSince, DateTimeOffset Deadline,
    int Tries = 0, int Broken = 0, ReadingFailure? Failure = null);

/// <param name="Reason">One of <see cref="PredictionFailure"/>.</param>
public sealed record ReadingFailure(string Reason, string Detail);

/// <summary>Custom status of a reading that waits.</summary>
/// <param name="State">Reason for the wait, in one word.</param>
public sealed record ReadingProgress(ReadingState State, string? Reason, int Tries)
{
    /// <summary>Describes the wait in one sentence.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{(Reason ?? $"{State}").TrimEnd('.')} (try {Tries})");
}
