using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

/// <summary>Reads TensorBoard event files and checks their sums, with nothing of the code that writes them.</summary>
internal static class EventFile
{
    /// <summary>An event: its tag is null in the first one of a file, whose text is then the format's version.</summary>
    public sealed record Event(double At, long Step, string? Tag)
    {
        public float? Value { get; init; }

        public string? Text { get; init; }

        public (long Width, long Height, byte[] Content)? Image { get; init; }

        public Histogram? Histogram { get; init; }
    }

    public sealed record Histogram(
        double Min, double Max, double Count, double Sum, double SumOfSquares, double[] Limits, double[] Buckets);

    public static IReadOnlyList<Event> Read(ReadOnlySpan<byte> file)
    {
        var events = new List<Event>();
        while (file.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
            Assert.Equal(Sum(file[..8]), BinaryPrimitives.ReadUInt32LittleEndian(file[8..]));
            Assert.Equal(Sum(file.Slice(12, length)), BinaryPrimitives.ReadUInt32LittleEndian(file[(12 + length)..]));
            events.Add(Parse(file.Slice(12, length).ToArray()));
            file = file[(16 + length)..];
        }
        return events;
    }

    private static Event Parse(byte[] message)
    {
        var fields = Fields(message);
        var at = BitConverter.ToDouble(fields[1]);
        var step = fields.TryGetValue(2, out var digits) ? BitConverter.ToInt64(digits) : 0;
        if (fields.TryGetValue(3, out var version)) return new Event(at, step, null) { Text = Encoding.UTF8.GetString(version) };
        var value = Fields(Fields(fields[5])[1]);
        var found = new Event(at, step, Encoding.UTF8.GetString(value[1]));
        if (value.TryGetValue(2, out var number)) return found with { Value = BitConverter.ToSingle(number) };
        if (value.TryGetValue(4, out var image))
        {
            var parts = Fields(image);
            return found with { Image = (BitConverter.ToInt64(parts[2]), BitConverter.ToInt64(parts[1]), parts[4]) };
        }
        if (value.TryGetValue(5, out var histogram))
        {
            var parts = Fields(histogram);
            double Number(int field) => parts.TryGetValue(field, out var bytes) ? BitConverter.ToDouble(bytes) : 0;
            return found with
            {
                Histogram = new Histogram(
                    Number(1), Number(2), Number(3), Number(4), Number(5),
                    MemoryMarshal.Cast<byte, double>(parts[6]).ToArray(), MemoryMarshal.Cast<byte, double>(parts[7]).ToArray()),
            };
        }
        var tensor = Fields(value[8]);
        Assert.Equal("text", Encoding.UTF8.GetString(Fields(Fields(value[9])[1])[1]));
        Assert.Equal(7, BitConverter.ToInt64(tensor[1]));
        Assert.Equal(1, BitConverter.ToInt64(Fields(Fields(tensor[2])[2])[1]));
        return found with { Text = Encoding.UTF8.GetString(tensor[8]) };
    }

    private static Dictionary<int, byte[]> Fields(byte[] message)
    {
        var fields = new Dictionary<int, byte[]>();
        for (var at = 0; at < message.Length;)
        {
            var key = (int)Varint(message, ref at);
            var (start, size) = (at, 0);
            switch (key & 7)
            {
                case 0: fields[key >> 3] = BitConverter.GetBytes(Varint(message, ref at)); continue;
                case 1: size = 8; break;
                case 2: size = (int)Varint(message, ref at); start = at; break;
                case 5: size = 4; break;
                default: Assert.Fail($"wire type {key & 7}"); break;
            }
            fields[key >> 3] = message[start..(start + size)];
            at = start + size;
        }
        return fields;
    }

    private static long Varint(byte[] message, ref int at)
    {
        long value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var digit = message[at++];
            value |= (long)(digit & 0x7f) << shift;
            if (digit < 0x80) return value;
        }
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        }
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
