using System.Collections.Concurrent;
using Azure;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>User of the storage account that uploads and deletes images, and insists until each step is done.</summary>
internal sealed class ChaosClient(BlobServiceClient blobs, Pictures pictures)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly BlobContainerClient _images = blobs.GetBlobContainerClient(Containers.ProductImages);

    /// <summary>Last step of each name, with the time when it was done.</summary>
    public ConcurrentDictionary<string, (Upload? Upload, DateTimeOffset At)> Left { get; } = new();

    /// <summary>Number of steps done.</summary>
    public int Done { get; private set; }

    /// <param name="turn">Awaited before each step.</param>
    public async Task RunAsync(
        IReadOnlyList<ClientStep> steps, Func<CancellationToken, Task> turn, CancellationToken cancellationToken)
    {
        foreach (var (name, upload) in steps)
        {
            await turn(cancellationToken);
            while (!await TryAsync(name, upload, cancellationToken)) await Task.Delay(Pause, cancellationToken);
            Left[name] = (upload, DateTimeOffset.UtcNow);
            Done++;
        }
    }

    private async Task<bool> TryAsync(string name, Upload? upload, CancellationToken cancellationToken)
    {
        try
        {
            var blob = _images.GetBlobClient(name);
            if (upload is null) await blob.DeleteIfExistsAsync(cancellationToken: cancellationToken);
            else await blob.UploadAsync(new BinaryData(pictures.Content(upload)), overwrite: true, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException)
        {
            // The storage account is away.
            return false;
        }
    }
}

/// <summary>Pictures that are uploaded, and what the models answer to them when nothing disturbs the worker.</summary>
internal sealed class Pictures(IReadOnlyList<byte[]> files)
{
    /// <summary>Number of pictures.</summary>
    public int Count => files.Count;

    /// <summary>Undisturbed answers, by model and picture.</summary>
    public Dictionary<(string Model, int Picture), string> Answers { get; } = [];

    /// <summary>Bytes of an upload.</summary>
    public byte[] Content(Upload upload) => upload.Kind switch
    {
        UploadKind.Picture => files[upload.Picture],
        UploadKind.Text => System.Text.Encoding.UTF8.GetBytes($"This is no image, but text number {upload.Picture}."),
        UploadKind.Empty => [],
        UploadKind.Truncated => files[upload.Picture][..(files[upload.Picture].Length / 2)],
        _ => throw new ArgumentOutOfRangeException(nameof(upload)),
    };

    /// <summary>Describes the first thing that is wrong with the document of an upload; null when it is right.</summary>
    public string? Mistake(Upload upload, PredictionDocument document)
    {
        var reason = upload.Kind switch
        {
            UploadKind.Text => Rejection.NotAnImage,
            UploadKind.Empty => Rejection.Empty,
            UploadKind.Truncated => Rejection.Truncated,
            _ => null,
        };
        var status = reason is null ? PredictionStatus.Predicted : PredictionStatus.Rejected;
        if (document.Status != status || document.Reason != reason)
            return $"is {document.Status} ({document.Reason}: {document.Detail}), should be {status} ({reason})";
        if (reason is not null) return null;
        var expected = Answers.GetValueOrDefault((document.Model ?? "", upload.Picture));
        return document.Answer == expected
            ? null
            : $"has the answer '{document.Answer}' of {document.Model}, undisturbed it is '{expected}'";
    }
}
