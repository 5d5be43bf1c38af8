using System.Globalization;
using System.Numerics;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets;

/// <summary>A column of a row group, whatever its type: as text and, where that has a meaning, as a number.</summary>
internal interface IColumn
{
    /// <summary>Null where the row has no value.</summary>
    string? Text(int row);

    /// <summary>Null where the row has no value; NaN where it has one that is no number.</summary>
    double? Number(int row);
}

/// <summary>A type of column that can be read as text: which values are numbers, and how they are written.</summary>
internal abstract class ColumnType
{
    private static readonly Dictionary<Type, ColumnType> Known = new()
    {
        [typeof(ReadOnlyMemory<char>)] = new Of<ReadOnlyMemory<char>>(value => value.ToString(), value => PriceText.Parse(value.Span)) { IsText = true },
        [typeof(bool)] = new Of<bool>(value => value ? "true" : "false", _ => double.NaN) { IsBoolean = true },
        [typeof(sbyte)] = Integer<sbyte>(),
        [typeof(byte)] = Integer<byte>(),
        [typeof(short)] = Integer<short>(),
        [typeof(ushort)] = Integer<ushort>(),
        [typeof(int)] = Integer<int>(),
        [typeof(uint)] = Integer<uint>(),
        [typeof(long)] = Integer<long>(),
        [typeof(ulong)] = Integer<ulong>(),
        [typeof(float)] = Number<float>(),
        [typeof(double)] = Number<double>(),
        // Without the zeros at its end: how many there are depends on how the number is stored.
        [typeof(decimal)] = new Of<decimal>(value => value.ToString("0.############################", CultureInfo.InvariantCulture), value => (double)value)
        {
            IsNumber = true,
        },
        [typeof(DateTime)] = new Of<DateTime>(Iso, _ => double.NaN),
        [typeof(Guid)] = new Of<Guid>(value => value.ToString(), _ => double.NaN),
    };

    private static readonly ColumnType HalfFloat =
        new Of<ReadOnlyMemory<byte>>(value => HalfOf(value).ToString(CultureInfo.InvariantCulture), value => (double)HalfOf(value)) { IsNumber = true };

    /// <summary>Whether its values are numbers by type, which a text never is.</summary>
    public bool IsNumber { get; private init; }

    public bool IsInteger { get; private init; }

    public bool IsText { get; private init; }

    public bool IsBoolean { get; private init; }

    /// <summary>The type of a column, or null when its values have no text: binary, and what nobody writes.</summary>
    public static ColumnType? Find(ParquetFile file, DataField field) =>
        file.IsHalfFloat(field) ? HalfFloat : Known.GetValueOrDefault(field.ClrType);

    /// <inheritdoc cref="ParquetFile.ReadAsync{T}"/>
    public abstract Task<IColumn> ReadAsync(ParquetFile file, int group, DataField field, CancellationToken cancellation);

    private static Of<T> Integer<T>()
        where T : struct, INumber<T>
        => new(value => value.ToString(null, CultureInfo.InvariantCulture), value => double.CreateChecked(value)) { IsNumber = true, IsInteger = true };

    private static Of<T> Number<T>()
        where T : struct, INumber<T>
        => new(value => value.ToString(null, CultureInfo.InvariantCulture), value => double.CreateChecked(value)) { IsNumber = true };

    private static string Iso(DateTime value) =>
        value.ToString(value.TimeOfDay == TimeSpan.Zero ? "yyyy-MM-dd" : "yyyy-MM-ddTHH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture);

    private static Half HalfOf(ReadOnlyMemory<byte> value) => BitConverter.ToHalf(value.Span);

    private sealed class Of<T>(Func<T, string> text, Func<T, double?> number) : ColumnType
        where T : struct
    {
        public override async Task<IColumn> ReadAsync(ParquetFile file, int group, DataField field, CancellationToken cancellation) =>
            new Column(await file.ReadAsync<T>(group, field, cancellation), text, number);

        private sealed class Column(ColumnValues<T> values, Func<T, string> text, Func<T, double?> number) : IColumn
        {
            public string? Text(int row) => values[row] is { } value ? text(value) : null;

            public double? Number(int row) => values[row] is { } value ? number(value) : null;
        }
    }
}
