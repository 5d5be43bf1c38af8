using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Parquet.Meta;
using Parquet.Schema;
using Encoding = System.Text.Encoding;
using PhysicalType = Parquet.Meta.Type;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>A column of a row group, independent of its type: values as text and, for numeric ones, as numbers.</summary>
internal interface IColumn
{
    /// <summary>Returns the value of a row as text; null when the row has none.</summary>
    string? Text(int row);

    /// <summary>Returns the values of a row's list that are not null as texts; of a column without lists the row's value.</summary>
    IReadOnlyList<string> Texts(int row);

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

    private static readonly Dictionary<System.Type, ColumnType> Known = new()
    {
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
        { Kind: StoredKind.Text } =>
            new Of<ReadOnlyMemory<byte>>(StoredType.TextOf, value => PriceText.Parse(StoredType.TextOf(value))) { IsText = true },
        { Kind: StoredKind.Half } => Number<ReadOnlyMemory<byte>>(
            value => BitConverter.ToHalf(value.Span).ToString(CultureInfo.InvariantCulture),
            value => (double)BitConverter.ToHalf(value.Span)),
        { Kind: StoredKind.Decimal, Scale: var scale } => field.ClrType == typeof(int)
            ? Number<int>(value => Text(value, scale), value => (double)Scaled(value, scale))
            : Number<long>(value => Text(value, scale), value => (double)Scaled(value, scale)),
        { Kind: StoredKind.Date } => field.ClrType == typeof(int)
            ? new Of<int>(value => Moment(value * (Int128)TimeSpan.TicksPerDay, DayFormat) ?? Digits(value), _ => double.NaN)
            : null,
        { Kind: StoredKind.Timestamp, Scale: var scale } => new Of<long>(
            value => Moment(value * (Int128)TimeSpan.TicksPerSecond / (long)Math.Pow(10, scale), MomentFormat) ?? Digits(value),
            _ => double.NaN),
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
        return ticks >= 0 && ticks <= DateTime.MaxValue.Ticks
            ? new DateTime((long)ticks).ToString(format, CultureInfo.InvariantCulture)
            : null;
    }

    private sealed class Of<T>(Func<T, string> text, Func<T, double?> number) : ColumnType
        where T : struct
    {
        public override async Task<IColumn> ReadAsync(ParquetFile file, int group, DataField field, CancellationToken cancellationToken) =>
            new Column(await file.ReadAsync<T>(group, field, cancellationToken), text, number);

        private sealed class Column(ColumnValues<T> values, Func<T, string> text, Func<T, double?> number) : IColumn
        {
            // Values of a dictionary are the same memory in every row: its rows share a string.
            private readonly Dictionary<T, string>? _shared =
                values.AreOfDictionary && typeof(T) == typeof(ReadOnlyMemory<byte>) ? [] : null;

            public string? Text(int row)
            {
                if (values[row] is not { } value) return null;
                if (_shared is null) return text(value);
                if (!_shared.TryGetValue(value, out var known)) _shared[value] = known = text(value);
                return known;
            }

            public IReadOnlyList<string> Texts(int row) => Array.ConvertAll(values.All(row).ToArray(), value => text(value));

            public double? Number(int row) => values[row] is { } value ? number(value) : null;
        }
    }
}

/// <summary>
/// Logical type of a column that is read as its physical type. Parquet.Net rejects a schema with half floats, decodes DELTA encodings only
/// into integers of 32 and 64 bits, fails a complete page for one date outside the range of DateTime, and takes twice as long for texts,
/// whose characters it counts and decodes into an array each; so Parquet.Net only sees the physical integers and bytes, and the logical
/// type is applied afterwards.
/// </summary>
/// <param name="Kind">Kind of the values.</param>
/// <param name="Name">Name of the type in Arrow notation.</param>
/// <param name="Scale">Decimals: number of digits after the point. Timestamps: exponent n of the unit 10⁻ⁿ seconds.</param>
internal sealed record StoredType(StoredKind Kind, string Name, int Scale = 0)
{
    private const int LargestScale = 28;

    /// <summary>Decodes a value of a text column; bytes that are not UTF-8 become U+FFFD.</summary>
    public static string TextOf(ReadOnlyMemory<byte> value) => Encoding.UTF8.GetString(value.Span);

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
        if (element.Type is PhysicalType.BYTE_ARRAY or PhysicalType.FIXED_LEN_BYTE_ARRAY
            && (logical?.STRING is not null || logical?.ENUM is not null || converted == ConvertedType.UTF8))
            return new StoredType(StoredKind.Text, "string");
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
        if (unit?.MICROS is not null || converted == ConvertedType.TIMESTAMP_MICROS)
            return new StoredType(StoredKind.Timestamp, "timestamp[us]", 6);
        return unit?.MILLIS is not null || converted == ConvertedType.TIMESTAMP_MILLIS
            ? new StoredType(StoredKind.Timestamp, "timestamp[ms]", 3)
            : null;
    }
}

/// <summary>Kind of the values of a <see cref="StoredType"/>.</summary>
internal enum StoredKind
{
    /// <summary>Texts in UTF-8.</summary>
    Text,

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

/// <summary>Parses prices written as text, such as <c>12.50</c>, <c>$1,290.00</c> or <c>1290 USD</c>.</summary>
internal static partial class PriceText
{
    /// <summary>
    /// Parses a price; null for a blank text, NaN for a text that is not a price. A comma that is not a thousands separator gives NaN, as
    /// it may or may not be a decimal point.
    /// </summary>
    /// <param name="unit">Unit that the number may end in; another code of three letters gives NaN then.</param>
    public static double? Parse(ReadOnlySpan<char> text, string? unit = null)
    {
        if (text.IsWhiteSpace()) return null;
        if (unit is not null && text.TrimEnd() is var trimmed && trimmed.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            text = trimmed[..^unit.Length];
        var match = Pattern().Match(text.ToString());
        if (!match.Success) return double.NaN;
        if (unit is not null && match.Groups["code"] is { Success: true, Value: var code }
            && !code.Equals(unit, StringComparison.OrdinalIgnoreCase))
        {
            return double.NaN;
        }
        var number =
            double.Parse(match.Groups["number"].Value, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
        return match.Groups["sign"].Value == "-" ? -number : number;
    }

    [GeneratedRegex(
        """
        ^\s* (?<sign>[+-]?) \s* (?: [A-Za-z]{0,3} \p{Sc} | (?<code>[A-Za-z]{3}) )? \s*
        (?<number> (?: \d{1,3} (?:,\d{3})+ | \d+ ) (?: \.\d+ )? (?: [eE][+-]?\d{1,3} )? | \.\d+ )
        \s* (?: \p{Sc} | (?<code>[A-Za-z]{3}) )? \s*$
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}

/// <summary>Names column types in Arrow notation, such as <c>list&lt;string&gt;</c> or <c>decimal(10,2)</c>.</summary>
internal static class ArrowTypeName
{
    /// <param name="file">The file that contains the field.</param>
    public static string Of(ParquetFile file, Field field) => field switch
    {
        ListField list => $"list<{Of(file, list.Item)}>",
        MapField map => $"map<{Of(file, map.Key)}, {Of(file, map.Value)}>",
        StructField fields => $"struct<{string.Join(", ", fields.Fields.Select(f => $"{f.Name}: {Of(file, f)}"))}>",
        DataField { IsArray: true } data => $"list<{Scalar(file, data)}>",
        DataField data => Scalar(file, data),
        _ => field.SchemaType.ToString(),
    };

    private static string Scalar(ParquetFile file, DataField field)
    {
        if (file.StoredTypeOf(field) is { } stored) return stored.Name;
        var element = field.SchemaElement;
        if (element?.LogicalType?.TIME?.Unit is { } unit)
            return $"time[{(unit.MILLIS is not null ? "ms" : unit.MICROS is not null ? "us" : "ns")}]";
        return field.ClrType switch
        {
            var type when type == typeof(ReadOnlyMemory<byte>)
                && element is { Type: PhysicalType.FIXED_LEN_BYTE_ARRAY, TypeLength: { } length } => $"binary[{length}]",
            var type when type == typeof(ReadOnlyMemory<byte>) => "binary",
            var type when type == typeof(decimal) => $"decimal({element?.Precision},{element?.Scale ?? 0})",
            // INT96, the timestamp that Impala and older Spark write.
            var type when type == typeof(DateTime) => "timestamp[ns]",
            var type when type == typeof(Guid) => "uuid",
            var type when type == typeof(bool) => "bool",
            var type when type == typeof(float) => "float",
            _ => field.ClrType.Name.ToLowerInvariant(),
        };
    }
}

/// <summary>
/// Features that the datasets library stores for the columns, under the key <c>huggingface</c> of a Parquet file's metadata.
/// </summary>
internal sealed class FeatureMetadata
{
    private readonly Dictionary<string, ColumnFeature> _columns = [];

    private FeatureMetadata()
    {
    }

    /// <param name="metadata">The key's JSON, <c>{"info":{"features":{…}}}</c>; null when the file has none.</param>
    /// <exception cref="InvalidDataException">The metadata is not valid JSON.</exception>
    public static FeatureMetadata Parse(string? metadata)
    {
        var features = new FeatureMetadata();
        if (metadata is null) return features;
        try
        {
            using var document = JsonDocument.Parse(metadata);
            var root = Member(document.RootElement, "info") ?? document.RootElement;
            if (Member(root, "features") is { ValueKind: JsonValueKind.Object } columns)
            {
                foreach (var column in columns.EnumerateObject())
                    if (Read(column.Value) is { } feature) features._columns[column.Name] = feature;
            }
            return features;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"the metadata 'huggingface' is no JSON: {e.Message}", e);
        }
    }

    /// <summary>Returns the feature of a column, or of the elements of a list column; null when the metadata has none.</summary>
    public ColumnFeature? Of(string column) => _columns.GetValueOrDefault(column);

    private static ColumnFeature? Read(JsonElement feature)
    {
        // A list is written as [feature], or as {"feature": …, "_type": "Sequence"}, "List" or "LargeList".
        if (feature.ValueKind == JsonValueKind.Array) return feature.GetArrayLength() == 1 ? Read(feature[0]) : null;
        if (Member(feature, "feature") is { } element) return Read(element);
        var names = Member(feature, "names") is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(name => name.ToString()).ToList()
            : null;
        // Older files omit _type and only list the class names.
        var type = Member(feature, "_type") is { ValueKind: JsonValueKind.String } said
            ? said.GetString()!
            : names is null ? null : ColumnFeature.ClassLabel;
        return type is null ? null : new ColumnFeature(type, type == ColumnFeature.ClassLabel ? names : null);
    }

    private static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : null;
}

/// <summary>The feature of a column.</summary>
/// <param name="Type">Name of the feature in the datasets library, such as <c>Image</c>, <c>ClassLabel</c> or <c>Value</c>.</param>
/// <param name="Names">Class names of a <c>ClassLabel</c>; null when it has none.</param>
internal sealed record ColumnFeature(string Type, IReadOnlyList<string>? Names)
{
    public const string Image = "Image";
    public const string ClassLabel = "ClassLabel";

    private const int NamesShown = 3;

    /// <summary>Formats the feature for display, such as <c>ClassLabel (10 names: dress, hat, coat, …)</c>.</summary>
    public override string ToString()
    {
        if (Names is null) return Type;
        var shown = string.Join(", ", Names.Take(NamesShown)) + (Names.Count > NamesShown ? ", …" : "");
        return $"{Type} ({Names.Count} {(Names.Count == 1 ? "name" : "names")}: {shown})";
    }
}
