namespace Parquet.Schema;

/// <summary>The columns of a file, with the groups they are in.</summary>
public class ParquetSchema
{
    public ParquetSchema(params Field[] fields)
        : this((IEnumerable<Field>)fields)
    {
    }

    public ParquetSchema(IEnumerable<Field> fields)
    {
        Fields = [.. fields];
        if (Fields.Count == 0) throw new ArgumentException("at least one field is required", nameof(fields));
        foreach (var field in Fields) field.Attach(null, 0, 0);
    }

    public IReadOnlyList<Field> Fields { get; }

    public DataField[] DataFields => GetDataFields();

    public Field this[int i] => Fields[i];

    /// <summary>The columns, in the order of the file.</summary>
    public DataField[] GetDataFields() => [.. Fields.SelectMany(Columns)];

    /// <exception cref="ArgumentException">There is no such column.</exception>
    public DataField FindDataField(FieldPath path) =>
        DataFields.FirstOrDefault(field => field.Path.Equals(path)) ?? throw new ArgumentException($"data field '{path}' not found", nameof(path));

    /// <summary>A column that is in no group.</summary>
    /// <inheritdoc cref="FindDataField(FieldPath)"/>
    public DataField FindDataField(string path) => FindDataField(new FieldPath(path));

    private static IEnumerable<DataField> Columns(Field field) => field switch
    {
        DataField column => [column],
        StructField group => group.Fields.SelectMany(Columns),
        ListField list => Columns(list.Item),
        MapField map => [.. Columns(map.Key), .. Columns(map.Value)],
        _ => throw new NotSupportedException($"field {field}"),
    };
}
