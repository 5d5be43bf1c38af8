using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// The meaning of a column that is read as it is stored. Parquet.Net refuses a schema with half floats, reads differences into integers
/// of 32 and 64 bits only, and gives up a whole page for a date that .NET does not have; so it gets to see the integers and bytes, and
/// what they mean is applied afterwards.
/// </summary>
/// <param name="Kind">What the values are.</param>
/// <param name="Name">In the words of the Arrow world.</param>
/// <param name="Scale">Digits after the point of a decimal; for a timestamp, the power of ten of its fractions of a second.</param>
internal sealed record StoredType(StoredKind Kind, string Name, int Scale = 0)
{
    private const int LargestScale = 28;

    /// <summary>Takes the meaning off a schema element; null, and the element untouched, where the reader does well.</summary>
    public static StoredType? Take(SchemaElement element)
    {
        var type = Of(element);
        if (type is not null) (element.LogicalType, element.ConvertedType) = (null, null);
        return type;
    }

    private static StoredType? Of(SchemaElement element)
    {
        var (logical, converted) = (element.LogicalType, element.ConvertedType);
        if (logical?.FLOAT16 is not null) return new StoredType(StoredKind.Half, "half");
        if (element.Type is not (PhysicalType.INT32 or PhysicalType.INT64)) return null;
        if (logical?.INTEGER is { BitWidth: 8 } integer) return new StoredType(StoredKind.Integer, integer.IsSigned ? "int8" : "uint8");
        if (converted == ConvertedType.INT_8) return new StoredType(StoredKind.Integer, "int8");
        if (converted == ConvertedType.UINT_8) return new StoredType(StoredKind.Integer, "uint8");
        if (logical?.DECIMAL is not null || converted == ConvertedType.DECIMAL) return Decimal(element);
        if (logical?.DATE is not null || converted == ConvertedType.DATE) return new StoredType(StoredKind.Date, "date");
        return element.Type == PhysicalType.INT64 ? Timestamp(logical?.TIMESTAMP?.Unit, converted) : null;
    }

    private static StoredType? Decimal(SchemaElement element)
    {
        var scale = element.LogicalType?.DECIMAL?.Scale ?? element.Scale ?? 0;
        var precision = element.LogicalType?.DECIMAL?.Precision ?? element.Precision;
        return scale is >= 0 and <= LargestScale ? new StoredType(StoredKind.Decimal, $"decimal({precision},{scale})", scale) : null;
    }

    private static StoredType? Timestamp(TimeUnit? unit, ConvertedType? converted)
    {
        if (unit?.NANOS is not null) return new StoredType(StoredKind.Timestamp, "timestamp[ns]", 9);
        if (unit?.MICROS is not null || converted == ConvertedType.TIMESTAMP_MICROS) return new StoredType(StoredKind.Timestamp, "timestamp[us]", 6);
        return unit?.MILLIS is not null || converted == ConvertedType.TIMESTAMP_MILLIS
            ? new StoredType(StoredKind.Timestamp, "timestamp[ms]", 3)
            : null;
    }
}

/// <summary>What the values of a <see cref="StoredType"/> are.</summary>
internal enum StoredKind
{
    /// <summary>Two bytes each.</summary>
    Half,

    /// <summary>Integers of 8 bits, in 32.</summary>
    Integer,

    Decimal,

    /// <summary>Days since 1970.</summary>
    Date,

    /// <summary>Fractions of a second since 1970.</summary>
    Timestamp,
}
