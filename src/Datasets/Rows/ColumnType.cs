using System.Globalization;
using System.Numerics;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>A column of a row group, independent of its type: values as text and, for numeric ones, as numbers.</summary>
internal interface IColumn
{
    /// <summary>Returns the value of a row as text; null when the row has none.</summary>
    string? Text(int row);

    /// <summary>Returns the value of a row as a number; null when the row has none, NaN when the value is not numeric.</summary>
    double? Number(int row);
}

/// <summary>Type of a column that can be read as text; converts its values to text and numbers.</summary>
internal abstract class ColumnType
{
    private const string DayFormat = "yyyy-MM-dd";
    private const string MomentFormat = "yyyy-MM-ddTHH:mm:ss.FFFFFFF";

    // Omits trailing zeros, whose number depends on the column's scale.
    private const string DecimalFormat = "0.############################";

    private static readonly Dictionary<Type, ColumnType> Known = new()
    {
        [typeof(ReadOnlyMemory<char>)] = new Of<ReadOnlyMemory<char>>(value => value.ToString(), value => PriceText.Parse(value.Span)) { IsText = true },
        [typeof(bool)] = new Of<bool>(value => value ? "true" : "false", _ => double.NaN) { IsBoolean = true },
        [typeof(short)] = Integer<short>(),
        [typeof(ushort)] = Integer<ushort>(),
        [typeof(int)] = Integer<int>(),
        [typeof(uint)] = Integer<uint>(),
        [typeof(long)] = Integer<long>(),
        [typeof(ulong)] = Integer<ulong>(),
        [typeof(float)] = Number<float>(),
        [typeof(double)] = Number<double>(),
        [typeof(decimal)] = Number<decimal>(value => value.ToString(DecimalFormat, CultureInfo.InvariantCulture), value => (double)value),
        [typeof(DateTime)] = new Of<DateTime>(value => value.ToString(MomentFormat, CultureInfo.InvariantCulture), _ => double.NaN),
        [typeof(Guid)] = new Of<Guid>(value => value.ToString(), _ => double.NaN),
    };

    /// <summary>True for a numeric type; false for text, even when it contains numbers.</summary>
    public bool IsNumber { get; private init; }

    public bool IsInteger { get; private init; }

    public bool IsText { get; private init; }

    public bool IsBoolean { get; private init; }

    /// <summary>Finds the type of a column; null when its values have no text form, such as binary.</summary>
    public static ColumnType? Find(ParquetFile file, DataField field) => file.StoredTypeOf(field) switch
    {
        { Kind: StoredKind.Half } => Number<ReadOnlyMemory<byte>>(
            value => BitConverter.ToHalf(value.Span).ToString(CultureInfo.InvariantCulture), value => (double)BitConverter.ToHalf(value.Span)),
        { Kind: StoredKind.Decimal, Scale: var scale } => field.ClrType == typeof(int)
            ? Number<int>(value => Text(value, scale), value => (double)Scaled(value, scale))
            : Number<long>(value => Text(value, scale), value => (double)Scaled(value, scale)),
        { Kind: StoredKind.Date } => field.ClrType == typeof(int)
            ? new Of<int>(value => Moment(value * (Int128)TimeSpan.TicksPerDay, DayFormat) ?? Digits(value), _ => double.NaN)
            : null,
        { Kind: StoredKind.Timestamp, Scale: var scale } => new Of<long>(
            value => Moment(value * (Int128)TimeSpan.TicksPerSecond / (long)Math.Pow(10, scale), MomentFormat) ?? Digits(value), _ => double.NaN),
        _ => Known.GetValueOrDefault(field.ClrType),
    };

    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public abstract Task<IColumn> ReadAsync(ParquetFile file, int group, DataField field, CancellationToken cancellationToken);

    private static Of<T> Integer<T>()
        where T : struct, INumber<T>
        => new(Digits, value => double.CreateChecked(value)) { IsNumber = true, IsInteger = true };

    private static Of<T> Number<T>()
        where T : struct, INumber<T>
        => Number<T>(Digits, value => double.CreateChecked(value));

    private static Of<T> Number<T>(Func<T, string> text, Func<T, double?> number)
        where T : struct
        => new(text, number) { IsNumber = true };

    private static string Digits<T>(T value)
        where T : INumber<T>
        => value.ToString(null, CultureInfo.InvariantCulture);

    private static string Text(long value, int scale) => Scaled(value, scale).ToString(DecimalFormat, CultureInfo.InvariantCulture);

    private static decimal Scaled(long value, int scale)
    {
        var magnitude = (ulong)(value < 0 ? -(Int128)value : value);
        return new decimal((int)magnitude, (int)(magnitude >> 32), 0, value < 0, (byte)scale);
    }

    /// <summary>Formats a point in time; null when it is outside the range of DateTime.</summary>
    private static string? Moment(Int128 ticksSince1970, string format)
    {
        var ticks = ticksSince1970 + DateTime.UnixEpoch.Ticks;
        return ticks >= 0 && ticks <= DateTime.MaxValue.Ticks ? new DateTime((long)ticks).ToString(format, CultureInfo.InvariantCulture) : null;
    }

    private sealed class Of<T>(Func<T, string> text, Func<T, double?> number) : ColumnType
        where T : struct
    {
        public override async Task<IColumn> ReadAsync(ParquetFile file, int group, DataField field, CancellationToken cancellationToken) =>
            new Column(await file.ReadAsync<T>(group, field, cancellationToken), text, number);

        private sealed class Column(ColumnValues<T> values, Func<T, string> text, Func<T, double?> number) : IColumn
        {
            public string? Text(int row) => values[row] is { } value ? text(value) : null;

            public double? Number(int row) => values[row] is { } value ? number(value) : null;
        }
    }
}
