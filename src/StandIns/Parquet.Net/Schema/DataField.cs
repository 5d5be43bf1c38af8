namespace Parquet.Schema;

/// <summary>A column. Text and binary columns have the types <c>ReadOnlyMemory&lt;char&gt;</c> and <c>ReadOnlyMemory&lt;byte&gt;</c>.</summary>
public class DataField : Field
{
    /// <param name="name">The column's name.</param>
    /// <param name="clrType">bool, an integer, float, double, string or byte[]; a nullable or reference type makes the column optional.</param>
    /// <param name="isNullable">Whether the column is optional, whatever the type says.</param>
    /// <param name="isArray">Not supported by this build.</param>
    /// <param name="propertyName">For the serializer of the real package.</param>
    public DataField(string name, Type clrType, bool? isNullable = null, bool? isArray = null, string? propertyName = null)
        : base(name, SchemaType.Data)
    {
        if (isArray is true) throw new NotSupportedException($"column '{name}': repeated columns cannot be declared with this build");
        var value = Nullable.GetUnderlyingType(clrType);
        ClrType = clrType == typeof(string) ? typeof(ReadOnlyMemory<char>)
            : clrType == typeof(byte[]) ? typeof(ReadOnlyMemory<byte>)
            : value ?? clrType;
        if (!Columns.PhysicalTypes.IsKnown(ClrType)) throw new NotSupportedException($"type {clrType} is not supported");
        IsNullable = isNullable ?? (value is not null || !clrType.IsValueType);
    }

    internal DataField(string name, Type clrType, bool isNullable, bool isArray)
        : base(name, SchemaType.Data)
    {
        ClrType = clrType;
        IsNullable = isNullable;
        IsArray = isArray;
    }

    /// <summary>The type of the values that are not null.</summary>
    public Type ClrType { get; }

    public bool IsArray { get; }

    /// <summary>Bytes of a value of a fixed-length binary column; 0 for other columns.</summary>
    internal int FixedLength { get; init; }

    /// <summary>Digits after the point of a decimal column.</summary>
    internal int Scale { get; init; }

    public override bool Equals(object? obj) =>
        base.Equals(obj) && obj is DataField other && (ClrType, IsNullable, IsArray) == (other.ClrType, other.IsNullable, other.IsArray);

    public override int GetHashCode() => base.GetHashCode();

    public override string ToString() => $"{Path} ({ClrType}{(IsNullable ? "?" : "")}{(IsArray ? "[]" : "")})";

    internal override void Attach(FieldPath? parent, int definitionLevel, int repetitionLevel)
    {
        Path = parent + new FieldPath(Name);
        MaxRepetitionLevel = repetitionLevel + (IsArray ? 1 : 0);
        MaxDefinitionLevel = definitionLevel + (IsArray || IsNullable ? 1 : 0);
    }
}

/// <summary>A column of values of <typeparamref name="T"/>.</summary>
public class DataField<T> : DataField
{
    public DataField(string name, bool? nullable = null)
        : base(name, typeof(T), nullable)
    {
    }
}
