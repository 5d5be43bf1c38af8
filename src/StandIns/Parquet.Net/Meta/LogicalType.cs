namespace Parquet.Meta;

/// <summary>The newer annotation of a schema node: the one member that is not null (parquet.thrift).</summary>
public class LogicalType
{
    public StringType? STRING { get; set; }

    public MapType? MAP { get; set; }

    public ListType? LIST { get; set; }

    public EnumType? ENUM { get; set; }

    public DecimalType? DECIMAL { get; set; }

    public DateType? DATE { get; set; }

    public TimeType? TIME { get; set; }

    public TimestampType? TIMESTAMP { get; set; }

    public IntType? INTEGER { get; set; }

    public UUIDType? UUID { get; set; }

    public Float16Type? FLOAT16 { get; set; }
}

public class StringType;

public class MapType;

public class ListType;

public class EnumType;

public class DateType;

public class UUIDType;

public class Float16Type;

public class DecimalType
{
    public int Scale { get; set; }

    public int Precision { get; set; }
}

public class IntType
{
    public sbyte BitWidth { get; set; }

    public bool IsSigned { get; set; }
}

public class TimeType
{
    public bool IsAdjustedToUTC { get; set; }

    public TimeUnit Unit { get; set; } = new();
}

public class TimestampType
{
    public bool IsAdjustedToUTC { get; set; }

    public TimeUnit Unit { get; set; } = new();
}

/// <summary>The one member that is not null.</summary>
public class TimeUnit
{
    public MilliSeconds? MILLIS { get; set; }

    public MicroSeconds? MICROS { get; set; }

    public NanoSeconds? NANOS { get; set; }
}

public class MilliSeconds;

public class MicroSeconds;

public class NanoSeconds;
