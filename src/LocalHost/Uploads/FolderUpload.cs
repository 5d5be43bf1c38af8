using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary>
/// Uploads a folder with everything below it to a container, several files at once. Files that the container has with the same size and MD5
/// are left out, so that a second upload resumes the first.
/// </summary>
/// <param name="prefix">Start of the blobs' names, with a slash at its end; empty for none.</param>
internal sealed class FolderUpload(DirectoryInfo folder, BlobContainerClient container, ProgressScreen screen, string prefix = "")
{
    private const int AtOnce = 8;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _bytes;
    private long _sent;
    private int _files;

    /// <summary>Uploads the files; creates the container unless it exists.</summary>
    /// <returns>Number of blobs of the container that the folder does not have, and that are part of the dataset all the same.</returns>
    /// <exception cref="InvalidOperationException">The folder is missing or empty.</exception>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        if (!folder.Exists) throw new InvalidOperationException($"There is no folder {folder.FullName}.");
        var files = folder.EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(file => (File: file, Name: Path.GetRelativePath(folder.FullName, file.FullName).Replace('\\', '/')))
            .Where(file => !file.Name.Split('/').Any(part => part.StartsWith('.')))
            .Select(file => (file.File, Name: prefix + file.Name)).ToList();
        if (files.Count == 0) throw new InvalidOperationException($"There are no files in {folder.FullName}.");
        await container.CreateIfNotExistsAsync(cancellationToken: cancellationToken);
        var there = new ConcurrentDictionary<string, BlobItemProperties>();
        await foreach (var blob in container.GetBlobsAsync(new GetBlobsOptions { Prefix = prefix }, cancellationToken))
            there[blob.Name] = blob.Properties;
        var total = files.Sum(file => file.File.Length);
        await Parallel.ForEachAsync(
            files,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (file, stop) =>
            {
                var sent = await UploadAsync(file.File, file.Name, there.GetValueOrDefault(file.Name), stop);
                there.TryRemove(file.Name, out _);
                Interlocked.Add(ref _bytes, file.File.Length);
                if (sent) Interlocked.Add(ref _sent, file.File.Length);
                Interlocked.Increment(ref _files);
                screen.Show(Progress(files.Count, total));
            });
        screen.Say(Progress(files.Count, total));
        return there.Count;
    }

    private async Task<bool> UploadAsync(FileInfo file, string name, BlobItemProperties? there, CancellationToken cancellationToken)
    {
        await using var content = file.OpenRead();
        var md5 = await MD5.HashDataAsync(content, cancellationToken);
        if (there is { ContentHash: { } known } && there.ContentLength == file.Length && known.AsSpan().SequenceEqual(md5)) return false;
        content.Position = 0;
        await container.GetBlobClient(name).UploadAsync(
            content, new BlobUploadOptions { HttpHeaders = new BlobHttpHeaders { ContentHash = md5 } }, cancellationToken);
        return true;
    }

    private string Progress(int count, long total)
    {
        var rate = _bytes / _clock.Elapsed.TotalSeconds;
        // The first files tell little of the others.
        var left = _files < count && rate > 0 && _clock.Elapsed > TimeSpan.FromSeconds(1)
            ? string.Create(CultureInfo.InvariantCulture, $", {(total - _bytes) / rate:0} s left") : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{_files} of {count} files in {container.Name}/{prefix}, {_sent / 1e6:0.0} MB sent, " +
            $"{(_bytes - _sent) / 1e6:0.0} MB there already, {rate / 1e6:0.0} MB/s{left}");
    }
}
