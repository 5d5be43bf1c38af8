using System.Net;

namespace TorchSharp.Modules;

/// <summary>
/// Writes TensorBoard event files. As in the package, the file is opened and closed for each event: a record is
/// <c>length u64, checksum of it u32, message, checksum of it u32</c>.
/// </summary>
public class SummaryWriter
{
    private static int written;

    private readonly string file;

    internal SummaryWriter(string folder, string? suffix)
    {
        LogDir = Directory.CreateDirectory(folder).ToString();
        var name = $"events.out.tfevents.{DateTime.Now.Ticks}.{Dns.GetHostName()}.{Environment.ProcessId}.{Interlocked.Increment(ref written)}";
        file = Path.Combine(folder, string.IsNullOrEmpty(suffix) ? name : $"{name}.{suffix}");
        File.Delete(file);
        Write(EventMessage.Version(DateTime.Now.Ticks));
    }

    /// <summary>The folder.</summary>
    public string LogDir { get; }

    /// <summary>Adds a point of a curve.</summary>
    /// <param name="walltime">Unix time in seconds; now when left out.</param>
    public void add_scalar(string tag, float scalar_value, int global_step, long? walltime = null) =>
        Write(EventMessage.Scalar(tag, scalar_value, global_step, walltime ?? Now()));

    /// <summary>Adds a text, which TensorBoard shows as Markdown.</summary>
    /// <inheritdoc cref="add_scalar"/>
    public void add_text(string tag, string text_string, int global_step, long? walltime = null) =>
        Write(EventMessage.Text($"{tag}/text_summary", text_string, global_step, walltime ?? Now()));

    private static long Now() => DateTimeOffset.Now.ToUnixTimeSeconds();

    private void Write(byte[] message)
    {
        using var writer = new BinaryWriter(File.Open(file, FileMode.Append, FileAccess.Write, FileShare.Read));
        var length = BitConverter.GetBytes((long)message.Length);
        writer.Write(length);
        writer.Write(Crc32C.Masked(length));
        writer.Write(message);
        writer.Write(Crc32C.Masked(message));
    }
}
