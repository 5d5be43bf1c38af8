using Azure.Storage.Blobs;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.Tests.LocalHost.Functions;

/// <summary>A blob function.</summary>
public sealed class Uploads(Recorder recorder)
{
    [Function(nameof(Uploaded))]
    public async Task Uploaded([BlobTrigger("uploads/in/{name}.{extension}", Source = BlobTriggerSource.EventGrid)] BlobClient blob, string name, string extension,
        FunctionContext context)
    {
        var text = (await blob.DownloadContentAsync()).Value.Content.ToString();
        var line = $"{name}|{extension}|{text}";
        recorder.Add(line);
        recorder.Add($"{name} try {context.RetryContext.RetryCount}");
        if (text == "fails" && recorder.Count(line) <= recorder.Failures) throw new InvalidDataException("not yet");
    }
}
