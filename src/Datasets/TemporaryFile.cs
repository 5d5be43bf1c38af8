using Azure.Storage.Blobs;

namespace FunctionsPipeline.Datasets;

/// <summary>Creates temporary files for data too large for memory; they are deleted on close.</summary>
internal static class TemporaryFile
{
    public static FileStream Create() =>
        new(Path.Combine(Path.GetTempPath(), $"functions-pipeline-{Guid.NewGuid():N}"), new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
    });

    /// <summary>Creates a file with the content of a blob, to be read from its beginning.</summary>
    public static async Task<FileStream> CopyAsync(BlobClient blob, CancellationToken cancellationToken)
    {
        var file = Create();
        try
        {
            await blob.DownloadToAsync(file, cancellationToken);
            file.Position = 0;
            return file;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }
}
