namespace Parquet.Schema;

/// <summary>A field of a schema: a column, or a group of fields.</summary>
public abstract class Field
{
    protected Field(string name, SchemaType schemaType)
    {
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
        SchemaType = schemaType;
        Path = new FieldPath(name);
    }

    public string Name { get; }

    public SchemaType SchemaType { get; }

    public FieldPath Path { get; internal set; }

    /// <summary>The node of the file's schema; null for a field that is declared.</summary>
    public Meta.SchemaElement? SchemaElement { get; internal set; }

    public virtual bool IsNullable { get; internal set; }

    /// <summary>How many of the fields around a value, itself included, may be missing.</summary>
    public int MaxDefinitionLevel { get; protected set; }

    /// <summary>How many of the fields around a value, itself included, may repeat.</summary>
    public int MaxRepetitionLevel { get; protected set; }

    public override bool Equals(object? obj) =>
        obj is Field other && SchemaType == other.SchemaType && Path.Equals(other.Path);

    public override int GetHashCode() => Path.GetHashCode();

    public override string ToString() => $"{Path} ({SchemaType}, RL: {MaxRepetitionLevel}, DL: {MaxDefinitionLevel})";

    /// <summary>Sets path and levels below the given parent.</summary>
    internal abstract void Attach(FieldPath? parent, int definitionLevel, int repetitionLevel);
}
