using System.Buffers.Binary;
using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>Dates and timestamps in the PLAIN encoding: days, or fractions of a second, since 1970.</summary>
internal sealed class MomentDecoder : PlainDecoder<DateTime>
{
    private const long JulianDayOf1970 = 2440588;
    private const int NanosecondsOfATick = 100;

    private readonly Meta.Type physical;
    private readonly long units;
    private readonly DateTimeKind kind;

    private MomentDecoder(Meta.Type physical, long units, DateTimeKind kind)
    {
        this.physical = physical;
        this.units = units;
        this.kind = kind;
    }

    protected override int MinimumBits => physical switch
    {
        Meta.Type.INT32 => 32,
        Meta.Type.INT64 => 64,
        _ => 96,
    };

    /// <returns>Null if the column is of another physical type.</returns>
    public static MomentDecoder? For(SchemaElement? element, Meta.Type physical)
    {
        if (physical is not (Meta.Type.INT32 or Meta.Type.INT64 or Meta.Type.INT96)) return null;
        var unit = element?.LogicalType?.TIMESTAMP?.Unit;
        long perSecond = unit is { NANOS: not null } ? 1_000_000_000
            : unit is { MICROS: not null } || (unit is null && element?.ConvertedType == ConvertedType.TIMESTAMP_MICROS) ? 1_000_000
            : 1000;
        var kind = element?.LogicalType?.TIMESTAMP is { IsAdjustedToUTC: false } ? DateTimeKind.Local : DateTimeKind.Utc;
        return new MomentDecoder(physical, perSecond, kind);
    }

    public override void Decode(ReadOnlyMemory<byte> page, Span<DateTime> values)
    {
        var bytes = page.Span;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = DateTime.SpecifyKind(
                DateTime.UnixEpoch.AddTicks(physical switch
                {
                    Meta.Type.INT32 => BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * 4)..]) * TimeSpan.TicksPerDay,
                    Meta.Type.INT64 => Ticks(BinaryPrimitives.ReadInt64LittleEndian(bytes[(i * 8)..])),
                    _ => Impala(bytes.Slice(i * 12, 12)),
                }),
                kind);
        }
    }

    private long Ticks(long value) =>
        units > TimeSpan.TicksPerSecond ? value / NanosecondsOfATick : checked(value * (TimeSpan.TicksPerSecond / units));

    private static long Impala(ReadOnlySpan<byte> bytes) => checked(
        ((BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) - JulianDayOf1970) * TimeSpan.TicksPerDay)
        + (BinaryPrimitives.ReadInt64LittleEndian(bytes) / NanosecondsOfATick));
}
