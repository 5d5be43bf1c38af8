using System.Globalization;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Locks a state folder against other processes until this process ends.</summary>
public sealed class FolderLock : IDisposable
{
    private readonly FileStream _file;

    private FolderLock(FileStream file) => _file = file;

    /// <summary>Locks the folder with the file <c>{folder}.lock</c> beside it, and names the holder in <c>{folder}.holder</c>.</summary>
    /// <exception cref="InvalidOperationException">Another process holds the lock; the message names the holder.</exception>
    public static FolderLock Acquire(string folder)
    {
        // A file of its own, because .NET refuses to open the locked one, also for reading.
        var holder = $"{folder}.holder";
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        try
        {
            // The operating system releases this lock when the process ends, even by SIGKILL.
            var file = new FileStream($"{folder}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            var since = DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
            File.WriteAllText(holder, $"process {Environment.ProcessId} ({Environment.CommandLine}), since {since}");
            return new FolderLock(file);
        }
        catch (IOException e)
        {
            var who = File.Exists(holder) ? File.ReadAllText(holder) : "another process";
            throw new InvalidOperationException($"{folder} is in use by {who}. Stop it first, or use another clone.", e);
        }
    }

    // The file stays: a process that has opened it and one that creates it anew would each lock a file of the same name.
    public void Dispose() => _file.Dispose();
}
