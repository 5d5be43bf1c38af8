using Utf8 = System.Text.Encoding;

namespace Parquet.Meta;

/// <summary>Wire types of the Thrift compact protocol.</summary>
internal enum ThriftType : byte
{
    Stop = 0,
    True = 1,
    False = 2,
    Byte = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
}

/// <summary>Reads the Thrift compact protocol from memory; it never reads or allocates past the end.</summary>
internal ref struct ThriftReader(ReadOnlySpan<byte> data)
{
    private const int MaximumDepth = 64;

    private readonly ReadOnlySpan<byte> data = data;
    private int depth;

    public int Position { get; private set; }

    /// <summary>Goes to the next field of a struct; false at its end.</summary>
    public bool NextField(ref int id, out ThriftType type)
    {
        var header = ReadByte();
        type = (ThriftType)(header & 0x0F);
        if (header == 0) return false;
        id = header >> 4 != 0 ? id + (header >> 4) : (int)ReadI64();
        return true;
    }

    public byte ReadByte() => Position < data.Length ? data[Position++] : throw new EndOfStreamException("a structure ends too early");

    public int ReadI32() => checked((int)ReadI64());

    public long ReadI64()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return (long)(value >> 1) ^ -(long)(value & 1);
        }
        throw new InvalidDataException("a number is longer than 64 bits");
    }

    public string ReadString() => Utf8.UTF8.GetString(ReadBinary());

    public ReadOnlySpan<byte> ReadBinary() => Take(ReadLength());

    /// <summary>The length of a list, whose elements are read next.</summary>
    public int ReadListHeader()
    {
        var header = ReadByte();
        var count = header >> 4 == 15 ? ReadLength() : header >> 4;
        // Every element takes a byte at least.
        return count <= data.Length - Position ? count : throw new EndOfStreamException("a list ends too early");
    }

    public void Skip(ThriftType type)
    {
        if (++depth > MaximumDepth) throw new InvalidDataException("structures are nested too deeply");
        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                break;
            case ThriftType.Byte:
                Take(1);
                break;
            case ThriftType.I16 or ThriftType.I32 or ThriftType.I64:
                ReadI64();
                break;
            case ThriftType.Double:
                Take(8);
                break;
            case ThriftType.Binary:
                ReadBinary();
                break;
            case ThriftType.List or ThriftType.Set:
                SkipList();
                break;
            case ThriftType.Map:
                SkipMap();
                break;
            case ThriftType.Struct:
                for (var id = 0; NextField(ref id, out var field);) Skip(field);
                break;
            default:
                throw new InvalidDataException($"unknown wire type {type}");
        }
        depth--;
    }

    private void SkipList()
    {
        var element = (ThriftType)(data.Length > Position ? data[Position] & 0x0F : 0);
        for (var count = ReadListHeader(); count > 0; count--) SkipElement(element);
    }

    private void SkipMap()
    {
        var count = ReadLength();
        if (count == 0) return;
        var types = ReadByte();
        for (; count > 0; count--)
        {
            SkipElement((ThriftType)(types >> 4));
            SkipElement((ThriftType)(types & 0x0F));
        }
    }

    // Within lists and maps a boolean takes a byte; as a field it is in the header.
    private void SkipElement(ThriftType type) => Skip(type is ThriftType.True or ThriftType.False ? ThriftType.Byte : type);

    private int ReadLength()
    {
        ulong value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            var next = ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value <= int.MaxValue ? (int)value : throw new InvalidDataException("a length is over 2 GB");
        }
        throw new InvalidDataException("a length is longer than 32 bits");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > data.Length - Position) throw new EndOfStreamException("a structure ends too early");
        Position += length;
        return data.Slice(Position - length, length);
    }
}
