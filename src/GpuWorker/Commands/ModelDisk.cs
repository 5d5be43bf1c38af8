using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Whether a folder can take a large checkpoint, before hours are spent on it.</summary>
internal static class ModelDisk
{
    /// <exception cref="CommandException">The folder has weights, which would be lost.</exception>
    public static void RequireNoWeights(string folder)
    {
        if (ModelFolder.HasWeights(folder))
            throw new CommandException($"'{folder}' holds weights already: delete them, or choose another --out.");
    }

    /// <param name="folder">A folder that is there.</param>
    /// <param name="bytes">What will be written.</param>
    /// <exception cref="CommandException">The disk has less.</exception>
    public static void RequireSpace(string folder, long bytes) => RequireSpace(folder, bytes, new DriveInfo(folder).AvailableFreeSpace);

    internal static void RequireSpace(string folder, long bytes, long free)
    {
        if (free < bytes)
            throw new CommandException(
                $"The checkpoint needs {Gigabytes.Text(bytes)} of disk; '{folder}' has {Gigabytes.Text(free)} free: " +
                $"{Gigabytes.Text(bytes - free)} are missing.");
    }
}
