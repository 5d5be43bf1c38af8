using System.Buffers.Binary;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// TensorBoard's event files, as far as they must be cut: records of a length (8 bytes), its checksum (4), an <c>Event</c> message and its
/// checksum (4), https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto.
/// </summary>
internal static class EventRecords
{
    private const int Head = 12;
    private const int Tail = 4;

    // Protocol buffers' field number and wire type: wall_time is a double, step a variable-length integer.
    private const byte WallTime = (1 << 3) | 1;
    private const byte Step = (2 << 3) | 0;

    /// <summary>The records up to a step. What does not look like a record at the end is left out.</summary>
    public static byte[] UpTo(ReadOnlySpan<byte> file, int step)
    {
        using var kept = new MemoryStream();
        while (file.Length >= Head + Tail)
        {
            var length = BinaryPrimitives.ReadUInt64LittleEndian(file);
            if (length > (ulong)(file.Length - Head - Tail)) break;
            var record = file[..(Head + (int)length + Tail)];
            if (StepOf(record[Head..^Tail]) <= step) kept.Write(record);
            file = file[record.Length..];
        }
        return kept.ToArray();
    }

    // Writers put fields in the order of their numbers, and leave out a step of 0.
    private static long StepOf(ReadOnlySpan<byte> message)
    {
        if (message.Length > 9 && message[0] == WallTime) message = message[9..];
        if (message.IsEmpty || message[0] != Step) return 0;
        long step = 0;
        for (var i = 1; i < message.Length; i++)
        {
            step |= (long)(message[i] & 0x7f) << (7 * (i - 1));
            if (message[i] < 0x80) break;
        }
        return step;
    }
}
