using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Logical type of a column that is read as its physical type. Parquet.Net rejects a schema with half floats, decodes DELTA encodings only
/// into integers of 32 and 64 bits, and fails a complete page for one date outside the range of DateTime; so Parquet.Net only sees the
/// physical integers and bytes, and the logical type is applied afterwards.
/// </summary>
/// <param name="Kind">Kind of the values.</param>
/// <param name="Name">Name of the type in Arrow notation.</param>
/// <param name="Scale">Decimals: number of digits after the point. Timestamps: exponent n of the unit 10⁻ⁿ seconds.</param>
internal sealed record StoredType(StoredKind Kind, string Name, int Scale = 0)
{
    private const int LargestScale = 28;

    /// <summary>
    /// Removes the logical type from a schema element and returns it; returns null and leaves the element as it is where Parquet.Net reads
    /// the type correctly.
    /// </summary>
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

/// <summary>Kind of the values of a <see cref="StoredType"/>.</summary>
internal enum StoredKind
{
    /// <summary>Half-precision floats, two bytes each.</summary>
    Half,

    /// <summary>8-bit integers, stored in 32 bits.</summary>
    Integer,

    Decimal,

    /// <summary>Days since 1970-01-01.</summary>
    Date,

    /// <summary>Fractions of a second since 1970-01-01T00:00.</summary>
    Timestamp,
}
