using System.Globalization;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Keeps a second process out of a folder of state, for as long as this process lives.</summary>
public sealed class FolderLock : IDisposable
{
    private readonly FileStream _file;

    private FolderLock(FileStream file) => _file = file;

    /// <summary>Takes the folder: the lock is the file <c>{folder}.lock</c> beside it, and who holds it stands in <c>{folder}.holder</c>.</summary>
    /// <exception cref="InvalidOperationException">Another process holds it; the message says which, and since when.</exception>
    public static FolderLock Acquire(string folder)
    {
        var holder = $"{folder}.holder";
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        try
        {
            // A lock of the operating system: gone with the process, however that ends.
            var file = new FileStream($"{folder}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.WriteAllText(holder, string.Create(
                CultureInfo.InvariantCulture, $"process {Environment.ProcessId} ({Environment.CommandLine}), since {DateTime.Now:yyyy-MM-dd HH:mm:ss}"));
            return new FolderLock(file);
        }
        catch (IOException e)
        {
            var who = File.Exists(holder) ? File.ReadAllText(holder) : "another process";
            throw new InvalidOperationException($"{folder} is in use by {who}. Stop it first, or use another clone.", e);
        }
    }

    public void Dispose() => _file.Dispose();
}
