using System.Text;

namespace TorchSharp;

/// <summary>
/// TensorBoard's <c>Event</c> messages in protocol buffers' encoding, the few fields that are needed; their numbers are those of
/// https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto.
/// </summary>
internal static class EventMessage
{
    private const int StringType = 7;

    /// <summary>The first event of a file.</summary>
    public static byte[] Version(double walltime) => Message(Double(1, walltime), Bytes(3, "brain.Event:2"));

    public static byte[] Scalar(string tag, float value, long step, double walltime) =>
        Event(step, walltime, Message(Bytes(1, tag), Float(2, value)));

    public static byte[] Text(string tag, string text, long step, double walltime)
    {
        var metadata = Bytes(1, Bytes(1, "text"));
        var shape = Bytes(2, Varint(1, 1));
        var tensor = Message(Varint(1, StringType), Bytes(2, shape), Bytes(8, text));
        return Event(step, walltime, Message(Bytes(1, tag), Bytes(8, tensor), Bytes(9, metadata)));
    }

    private static byte[] Event(long step, double walltime, byte[] value) =>
        Message(Double(1, walltime), step == 0 ? [] : Varint(2, step), Bytes(5, Bytes(1, value)));

    private static byte[] Message(params byte[][] fields) => [.. fields.SelectMany(field => field)];

    private static byte[] Double(int field, double value) => [(byte)((field << 3) | 1), .. BitConverter.GetBytes(value)];

    private static byte[] Float(int field, float value) => [(byte)((field << 3) | 5), .. BitConverter.GetBytes(value)];

    private static byte[] Bytes(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Bytes(int field, byte[] content) => [(byte)((field << 3) | 2), .. Digits(content.Length), .. content];

    private static byte[] Varint(int field, long value) => [(byte)(field << 3), .. Digits(value)];

    private static IEnumerable<byte> Digits(long value)
    {
        var rest = (ulong)value;
        for (; rest >= 0x80; rest >>= 7) yield return (byte)(rest | 0x80);
        yield return (byte)rest;
    }
}
