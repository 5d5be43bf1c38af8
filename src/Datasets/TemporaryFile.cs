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
}
