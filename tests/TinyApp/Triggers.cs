using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.TinyApp;

/// <summary>Functions with blob, queue and timer triggers.</summary>
public sealed class Triggers(Notes notes)
{
    /// <summary>Writes the text of an upload to a note below <c>blobs/</c>.</summary>
    [Function(nameof(Uploaded))]
    public async Task Uploaded(
        [BlobTrigger("tiny-uploads/{folder}/{name}", Connection = "AzureWebJobsStorage")] BlobClient blob,
        string folder, string name, FunctionContext context, CancellationToken cancellationToken)
    {
        var text = (await blob.DownloadContentAsync(cancellationToken)).Value.Content.ToString();
        if (text == "broken") throw new InvalidDataException("the upload is broken");
        if (text == "slow")
        {
            await notes.WriteAsync($"started/{folder}/{name}", text, cancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        }
        await notes.WriteAsync($"blobs/{folder}/{name}", $"{context.BindingContext.BindingData["BlobTrigger"]}: {text}", cancellationToken);
    }

    /// <summary>Writes a queue message to a note below <c>messages/</c>.</summary>
    [Function(nameof(Received))]
    public async Task Received(
        [QueueTrigger("tiny-messages")] Message message, FunctionContext context, CancellationToken cancellationToken)
    {
        var count = context.BindingContext.BindingData["DequeueCount"];
        await notes.WriteAsync($"messages/{message.Name}", $"{message.Text} ({count})", cancellationToken);
    }

    /// <summary>Writes a note at every tick of the timer.</summary>
    [Function(nameof(Ticked))]
    public async Task Ticked([TimerTrigger("* * * * * *", RunOnStartup = true)] TimerInfo timer, CancellationToken cancellationToken) =>
        await notes.WriteAsync("tick", $"past due: {timer.IsPastDue}", cancellationToken);

    /// <summary>Writes a note on the first of January, or when it is started manually.</summary>
    [Function(nameof(NewYear))]
    public async Task NewYear([TimerTrigger("0 0 0 1 1 *")] TimerInfo timer, CancellationToken cancellationToken) =>
        await notes.WriteAsync("new-year", $"past due: {timer.IsPastDue}", cancellationToken);

    /// <summary>Has an output binding that the local host does not support.</summary>
    [Function(nameof(Answered))]
    [QueueOutput("tiny-answers")]
    public static string Answered([QueueTrigger("tiny-questions")] string question) => question;

    /// <summary>Queue message.</summary>
    public sealed record Message(string Name, string Text);
}

/// <summary>Trigger type that no host supports.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class SmokeTriggerAttribute : TriggerBindingAttribute;

/// <summary>Function with an unsupported trigger.</summary>
public static class SmokeDetector
{
    [Function(nameof(Smelled))]
    public static void Smelled([SmokeTrigger] string smoke) => Console.WriteLine(smoke);
}

/// <summary>Writes the inputs of functions to the container <c>tiny-notes</c>, where tests read them.</summary>
public sealed class Notes(IConfiguration configuration)
{
    /// <summary>Name of the container.</summary>
    public const string Container = "tiny-notes";

    public async Task WriteAsync(string name, string text, CancellationToken cancellationToken)
    {
        var container = new BlobContainerClient(configuration["AzureWebJobsStorage"], Container);
        await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        await container.GetBlobClient(name).UploadAsync(BinaryData.FromString(text), overwrite: true, cancellationToken);
    }
}
