using System.Buffers.Binary;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Truncates TensorBoard's event files, which are sequences of records: length (8 bytes), checksum of the length (4), an <c>Event</c>
/// message, checksum of the message (4); https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto.
/// </summary>
internal static class TensorBoardEvents
{
    // Records keep their checksums, which cover nothing outside the record: removing others leaves them valid.
    private const int Head = 12;
    private const int Tail = 4;

    // Protocol buffers tags, field number and wire type: wall_time is a 64-bit double (1), step a varint (0).
    private const byte WallTime = (1 << 3) | 1;
    private const byte Step = (2 << 3) | 0;

    /// <summary>Returns the records up to a step, without an incomplete record at the end.</summary>
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

    // Protocol buffers writers order fields by number and omit a step of 0.
    private static long StepOf(ReadOnlySpan<byte> message)
    {
        // The tag and the eight bytes of the time.
        if (message.Length > 9 && message[0] == WallTime) message = message[9..];
        if (message.IsEmpty || message[0] != Step) return 0;
        // A varint has seven bits in each byte, the lowest first; the top bit says that another byte follows.
        long step = 0;
        for (var i = 1; i < message.Length; i++)
        {
            step |= (long)(message[i] & 0x7f) << (7 * (i - 1));
            if (message[i] < 0x80) break;
        }
        return step;
    }
}
