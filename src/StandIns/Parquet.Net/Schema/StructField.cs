namespace Parquet.Schema;

/// <summary>A group of fields; one that is declared (not read from a file) is optional.</summary>
public class StructField : Field
{
    public StructField(string name, params Field[] elements)
        : this(name, isNullable: true, elements)
    {
        if (elements.Length == 0) throw new ArgumentException($"structure '{name}' requires at least one element");
    }

    internal StructField(string name, bool isNullable, IReadOnlyList<Field> elements)
        : base(name, SchemaType.Struct)
    {
        IsNullable = isNullable;
        Fields = elements;
    }

    public IReadOnlyList<Field> Fields { get; }

    internal override void Attach(FieldPath? parent, int definitionLevel, int repetitionLevel)
    {
        Path = parent + new FieldPath(Name);
        MaxRepetitionLevel = repetitionLevel;
        MaxDefinitionLevel = definitionLevel + (IsNullable ? 1 : 0);
        foreach (var field in Fields) field.Attach(Path, MaxDefinitionLevel, MaxRepetitionLevel);
    }
}
