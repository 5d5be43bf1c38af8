using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;
using Tensorboard;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Records of TensorBoard's event files: length (8 bytes), checksum of the length (4), an <c>Event</c> message, checksum of the message
/// (4); https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto.
/// </summary>
internal static class TensorBoardEvents
{
    // Records keep their checksums, which cover nothing outside the record: removing others leaves them valid.
    private const int Head = 12;
    private const int Tail = 4;

    // Protocol buffers tags, field number and wire type: wall_time is a 64-bit double (1), step a varint (0).
    private const byte WallTime = (1 << 3) | 1;
    private const byte Step = (2 << 3) | 0;

    /// <summary>Encodes a record.</summary>
    public static byte[] Record(Event message)
    {
        var content = message.ToByteArray();
        var record = new byte[Head + content.Length + Tail];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(sizeof(ulong)), Checksum(record.AsSpan(0, sizeof(ulong))));
        content.CopyTo(record, Head);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(^Tail..), Checksum(content));
        return record;
    }

    /// <summary>Counts values by buckets, from the first to the last one that is not empty.</summary>
    /// <param name="values">At least one.</param>
    /// <param name="limits">Upper ends of the buckets, which do not belong to them; the last bucket has whatever is above.</param>
    public static HistogramProto Histogram(IReadOnlyList<double> values, IReadOnlyList<double> limits)
    {
        var counts = new double[limits.Count];
        foreach (var value in values) counts[Math.Min(limits.Count(limit => limit <= value), limits.Count - 1)]++;
        var histogram = new HistogramProto
        {
            Min = values.Min(), Max = values.Max(), Num = values.Count, Sum = values.Sum(), SumSquares = values.Sum(value => value * value),
        };
        // TensorBoard takes the minimum for the lower end of the first bucket, and the maximum for the upper end of the last one.
        var (first, last) = (Array.FindIndex(counts, count => count > 0), Array.FindLastIndex(counts, count => count > 0));
        histogram.BucketLimit.AddRange(limits.Take(last + 1).Skip(first));
        histogram.Bucket.AddRange(counts[first..(last + 1)]);
        return histogram;
    }

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

    // CRC-32C, turned and shifted, since a checksum of data with checksums in it is weak: TFRecord's masked_crc32_of_data
    // (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
    private static uint Checksum(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data) crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
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
