namespace FunctionsPipeline.Datasets;

/// <summary>The wire types of Thrift's compact protocol, in which Parquet writes its headers.</summary>
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
    Uuid = 13,
}

/// <summary>Reads Thrift's compact protocol from memory, with bounds checks and without allocations for claimed sizes.</summary>
/// <remarks>All errors in the bytes throw <see cref="InvalidDataException"/>.</remarks>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    // parquet.thrift nests fewer than ten structures; the limit keeps damaged bytes from overflowing the stack.
    private const int MaximumDepth = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _depth;

    /// <summary>Number of bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>Reads the header of a structure's next field; false at the end of the structure.</summary>
    public bool NextField(ref int id, out ThriftType type)
    {
        var header = Take(1)[0];
        type = (ThriftType)(header & 0x0F);
        if (header == 0) return false;
        id = header >> 4 != 0 ? id + (header >> 4) : ReadI32();
        return true;
    }

    public int ReadI32()
    {
        var value = ReadI64();
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new InvalidDataException($"{value} is no 32-bit number");
    }

    public long ReadI64()
    {
        var value = ReadVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    public void Skip(ThriftType type)
    {
        if (++_depth > MaximumDepth) throw new InvalidDataException("structures are nested too deeply");
        switch (type)
        {
            case ThriftType.True or ThriftType.False: break;
            case ThriftType.Byte: Take(1); break;
            case ThriftType.I16 or ThriftType.I32 or ThriftType.I64: ReadVarint(); break;
            case ThriftType.Double: Take(sizeof(double)); break;
            case ThriftType.Uuid: Take(16); break;
            case ThriftType.Binary: Take(ReadCount()); break;
            case ThriftType.List or ThriftType.Set: SkipList(); break;
            case ThriftType.Map: SkipMap(); break;
            case ThriftType.Struct:
                for (var id = 0; NextField(ref id, out var field);) Skip(field);
                break;
            default: throw new InvalidDataException($"there is no wire type {(int)type}");
        }
        _depth--;
    }

    private void SkipList()
    {
        var header = Take(1)[0];
        var count = header >> 4 == 15 ? ReadCount() : header >> 4;
        for (var i = 0; i < count; i++) SkipElement((ThriftType)(header & 0x0F));
    }

    private void SkipMap()
    {
        var count = ReadCount();
        if (count == 0) return;
        var types = Take(1)[0];
        for (var i = 0; i < count; i++)
        {
            SkipElement((ThriftType)(types >> 4));
            SkipElement((ThriftType)(types & 0x0F));
        }
    }

    // A boolean field is encoded in the field's header, but a boolean element of a list or map takes a byte.
    private void SkipElement(ThriftType type) => Skip(type is ThriftType.True or ThriftType.False ? ThriftType.Byte : type);

    private int ReadCount()
    {
        var count = ReadVarint();
        // Every element and character takes at least one byte, so that the remaining bytes bound the count.
        return count <= (ulong)(_bytes.Length - Position) ? (int)count : throw EndsTooEarly();
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }
        throw new InvalidDataException("a number is longer than 64 bits");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - Position) throw EndsTooEarly();
        Position += count;
        return _bytes.Slice(Position - count, count);
    }

    private static InvalidDataException EndsTooEarly() => new("it ends too early");
}
