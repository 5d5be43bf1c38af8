namespace Parquet.Meta;

/// <summary>Reads the annotations of schema nodes.</summary>
internal static class LogicalTypeReader
{
    public static LogicalType Read(ref ThriftReader reader)
    {
        var result = new LogicalType();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.STRING = Empty<StringType>(ref reader, type); break;
                case 2: result.MAP = Empty<MapType>(ref reader, type); break;
                case 3: result.LIST = Empty<ListType>(ref reader, type); break;
                case 4: result.ENUM = Empty<EnumType>(ref reader, type); break;
                case 5: result.DECIMAL = Decimal(ref reader); break;
                case 6: result.DATE = Empty<DateType>(ref reader, type); break;
                case 7:
                    var (timeUtc, timeUnit) = Clock(ref reader);
                    result.TIME = new TimeType { IsAdjustedToUTC = timeUtc, Unit = timeUnit };
                    break;
                case 8:
                    var (utc, unit) = Clock(ref reader);
                    result.TIMESTAMP = new TimestampType { IsAdjustedToUTC = utc, Unit = unit };
                    break;
                case 10: result.INTEGER = Integer(ref reader); break;
                case 14: result.UUID = Empty<UUIDType>(ref reader, type); break;
                case 15: result.FLOAT16 = Empty<Float16Type>(ref reader, type); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static T Empty<T>(ref ThriftReader reader, ThriftType type)
        where T : new()
    {
        reader.Skip(type);
        return new T();
    }

    private static DecimalType Decimal(ref ThriftReader reader)
    {
        var result = new DecimalType();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.Scale = reader.ReadI32(); break;
                case 2: result.Precision = reader.ReadI32(); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static IntType Integer(ref ThriftReader reader)
    {
        var result = new IntType();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.BitWidth = (sbyte)reader.ReadByte(); break;
                case 2: result.IsSigned = type == ThriftType.True; break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }

    private static (bool Utc, TimeUnit Unit) Clock(ref ThriftReader reader)
    {
        var (utc, unit) = (false, new TimeUnit());
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: utc = type == ThriftType.True; break;
                case 2: unit = Unit(ref reader); break;
                default: reader.Skip(type); break;
            }
        }
        return (utc, unit);
    }

    private static TimeUnit Unit(ref ThriftReader reader)
    {
        var result = new TimeUnit();
        for (var id = 0; reader.NextField(ref id, out var type);)
        {
            switch (id)
            {
                case 1: result.MILLIS = Empty<MilliSeconds>(ref reader, type); break;
                case 2: result.MICROS = Empty<MicroSeconds>(ref reader, type); break;
                case 3: result.NANOS = Empty<NanoSeconds>(ref reader, type); break;
                default: reader.Skip(type); break;
            }
        }
        return result;
    }
}
