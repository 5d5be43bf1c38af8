using Parquet.Meta;

namespace Parquet.Schema;

/// <summary>The types of .NET that columns are read as.</summary>
internal static class ClrTypes
{
    public static System.Type Of(SchemaElement element)
    {
        var logical = element.LogicalType;
        if (element.ConvertedType == ConvertedType.UTF8 || logical is { STRING: not null } or { ENUM: not null })
            return typeof(ReadOnlyMemory<char>);
        if (logical?.INTEGER is { } integer) return Integer(integer.BitWidth, integer.IsSigned);
        if (logical?.DECIMAL is not null) return typeof(decimal);
        if (logical?.FLOAT16 is not null) throw new NotSupportedException($"type {typeof(Half)} is not supported");
        if (logical is { DATE: not null } or { TIMESTAMP: not null }) return typeof(DateTime);
        return Annotated(element.ConvertedType) ?? (element.Type, logical?.UUID) switch
        {
            (Meta.Type.BOOLEAN, _) => typeof(bool),
            (Meta.Type.INT32, _) => typeof(int),
            (Meta.Type.INT64, _) => typeof(long),
            (Meta.Type.INT96, _) => typeof(DateTime),
            (Meta.Type.FLOAT, _) => typeof(float),
            (Meta.Type.DOUBLE, _) => typeof(double),
            (Meta.Type.FIXED_LEN_BYTE_ARRAY, not null) => typeof(Guid),
            (Meta.Type.BYTE_ARRAY or Meta.Type.FIXED_LEN_BYTE_ARRAY, _) => typeof(ReadOnlyMemory<byte>),
            _ => throw new ParquetException($"the schema has a column of physical type {element.Type}"),
        };
    }

    private static System.Type? Annotated(ConvertedType? type) => type switch
    {
        ConvertedType.INT_8 => typeof(sbyte),
        ConvertedType.UINT_8 => typeof(byte),
        ConvertedType.INT_16 => typeof(short),
        ConvertedType.UINT_16 => typeof(ushort),
        ConvertedType.UINT_32 => typeof(uint),
        ConvertedType.UINT_64 => typeof(ulong),
        ConvertedType.DATE or ConvertedType.TIMESTAMP_MILLIS or ConvertedType.TIMESTAMP_MICROS => typeof(DateTime),
        ConvertedType.DECIMAL => typeof(decimal),
        _ => null,
    };

    private static System.Type Integer(int bits, bool signed) => (bits, signed) switch
    {
        (8, true) => typeof(sbyte),
        (8, false) => typeof(byte),
        (16, true) => typeof(short),
        (16, false) => typeof(ushort),
        (32, true) => typeof(int),
        (32, false) => typeof(uint),
        (64, true) => typeof(long),
        (64, false) => typeof(ulong),
        _ => throw new ParquetException($"the schema has an integer of {bits} bits"),
    };
}
