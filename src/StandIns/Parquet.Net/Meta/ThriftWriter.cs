namespace Parquet.Meta;

/// <summary>Writes the Thrift compact protocol.</summary>
internal sealed class ThriftWriter
{
    private readonly MemoryStream output = new();
    private readonly Stack<int> structs = new();
    private int lastId;

    public byte[] ToArray() => output.ToArray();

    public void BeginStruct()
    {
        structs.Push(lastId);
        lastId = 0;
    }

    public void EndStruct()
    {
        output.WriteByte((byte)ThriftType.Stop);
        lastId = structs.Pop();
    }

    public void I32(int id, int? value)
    {
        if (value is null) return;
        Field(id, ThriftType.I32);
        ZigZag(value.Value);
    }

    public void I64(int id, long? value)
    {
        if (value is null) return;
        Field(id, ThriftType.I64);
        ZigZag(value.Value);
    }

    public void Bool(int id, bool value) => Field(id, value ? ThriftType.True : ThriftType.False);

    public void Text(int id, string? value)
    {
        if (value is null) return;
        Field(id, ThriftType.Binary);
        TextElement(value);
    }

    public void Struct<T>(int id, T? value, Action<T> write)
        where T : class
    {
        if (value is null) return;
        Field(id, ThriftType.Struct);
        BeginStruct();
        write(value);
        EndStruct();
    }

    public void Structs<T>(int id, IReadOnlyList<T>? values, Action<T> write) => List(id, ThriftType.Struct, values, value =>
    {
        BeginStruct();
        write(value);
        EndStruct();
    });

    public void Texts(int id, IReadOnlyList<string> values) => List(id, ThriftType.Binary, values, TextElement);

    public void I32s(int id, IReadOnlyList<int> values) => List(id, ThriftType.I32, values, value => ZigZag(value));

    private void List<T>(int id, ThriftType type, IReadOnlyList<T>? values, Action<T> write)
    {
        if (values is null) return;
        Field(id, ThriftType.List);
        output.WriteByte((byte)((Math.Min(values.Count, 15) << 4) | (int)type));
        if (values.Count >= 15) Unsigned((uint)values.Count);
        foreach (var value in values) write(value);
    }

    private void Field(int id, ThriftType type)
    {
        var delta = id - lastId;
        if (delta is > 0 and < 16)
        {
            output.WriteByte((byte)((delta << 4) | (int)type));
        }
        else
        {
            output.WriteByte((byte)type);
            ZigZag(id);
        }
        lastId = id;
    }

    private void TextElement(string value)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(value);
        Unsigned((uint)bytes.Length);
        output.Write(bytes);
    }

    private void ZigZag(long value) => Unsigned((ulong)((value << 1) ^ (value >> 63)));

    private void Unsigned(ulong value)
    {
        for (; value >= 0x80; value >>= 7) output.WriteByte((byte)(value | 0x80));
        output.WriteByte((byte)value);
    }
}
