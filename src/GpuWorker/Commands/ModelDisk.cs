using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Checks a folder before hours are spent on a large checkpoint for it.</summary>
internal static class ModelDisk
{
    /// <exception cref="CommandException">The folder already has weights, which would be overwritten.</exception>
    public static void RequireNoWeights(string folder)
    {
        if (ModelFolder.HasWeights(folder))
            throw new CommandException($"'{folder}' holds weights already: delete them, or choose another --out.");
    }

    /// <param name="folder">An existing folder.</param>
    /// <param name="bytes">Size of the checkpoint.</param>
    /// <exception cref="CommandException">The disk has less free space.</exception>
    public static void RequireSpace(string folder, long bytes) => RequireSpace(folder, bytes, new DriveInfo(folder).AvailableFreeSpace);

    internal static void RequireSpace(string folder, long bytes, long free)
    {
        if (free < bytes)
            throw new CommandException(
                $"The checkpoint needs {Gigabytes.Text(bytes)} of disk; '{folder}' has {Gigabytes.Text(free)} free: " +
                $"{Gigabytes.Text(bytes - free)} are missing.");
    }
}
