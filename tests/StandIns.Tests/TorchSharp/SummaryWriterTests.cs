using TorchSharp;

namespace FunctionsPipeline.Tests.StandIns.TorchSharp;

public sealed class SummaryWriterTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"events-{Guid.NewGuid():N}");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void An_event_file_is_whole_after_every_event()
    {
        var writer = torch.utils.tensorboard.SummaryWriter(_folder, filename_suffix: "first");
        Assert.Equal(_folder, writer.LogDir);
        var file = Directory.EnumerateFiles(_folder).Single();
        Assert.Matches($@"^events\.out\.tfevents\.\d+\..+\.{Environment.ProcessId}\.\d+\.first$", Path.GetFileName(file));
        var begun = File.ReadAllBytes(file);

        writer.add_scalar("a/b", 1.5f, 300, 7);
        var record = Convert.ToHexString(File.ReadAllBytes(file)[begun.Length..]);
        // 26 bytes: wall_time 7, step 300, summary { value { tag "a/b" simple_value 1.5 } }; the sums are those of a bitwise CRC-32C.
        const string message = "09" + "0000000000001C40" + "10" + "AC02" + "2A" + "0C" + "0A" + "0A" + "0A" + "03" + "612F62" + "15" + "0000C03F";
        Assert.Equal("1A00000000000000" + Sum("1A00000000000000") + message + Sum(message), record);
        Assert.Equal(begun, File.ReadAllBytes(file)[..begun.Length]);
    }

    [Fact]
    public void Two_writers_of_a_folder_have_a_file_each()
    {
        torch.utils.tensorboard.SummaryWriter(_folder);
        torch.utils.tensorboard.SummaryWriter(_folder).add_text("t", "x", 0);
        Assert.Equal(2, Directory.EnumerateFiles(_folder).Count());
    }

    private static string Sum(string hex)
    {
        var crc = uint.MaxValue;
        foreach (var value in Convert.FromHexString(hex))
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        }
        return Convert.ToHexString(BitConverter.GetBytes(((~crc >> 15) | (~crc << 17)) + 0xa282ead8));
    }
}
