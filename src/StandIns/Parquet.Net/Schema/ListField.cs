namespace Parquet.Schema;

/// <summary>A list, as found in a file.</summary>
public sealed class ListField : Field
{
    private readonly string container;

    internal ListField(string name, bool isNullable, string container, Field item)
        : base(name, SchemaType.List)
    {
        IsNullable = isNullable;
        this.container = container;
        Item = item;
    }

    public Field Item { get; }

    internal override void Attach(FieldPath? parent, int definitionLevel, int repetitionLevel)
    {
        Path = parent + new FieldPath(Name, container);
        MaxRepetitionLevel = repetitionLevel + 1;
        MaxDefinitionLevel = definitionLevel + (IsNullable ? 2 : 1);
        Item.Attach(Path, MaxDefinitionLevel, MaxRepetitionLevel);
    }
}

/// <summary>A map, as found in a file.</summary>
public sealed class MapField : Field
{
    private readonly string container;

    internal MapField(string name, bool isNullable, string container, Field key, Field value)
        : base(name, SchemaType.Map)
    {
        IsNullable = isNullable;
        this.container = container;
        Key = key;
        Value = value;
    }

    public Field Key { get; }

    public Field Value { get; }

    internal override void Attach(FieldPath? parent, int definitionLevel, int repetitionLevel)
    {
        Path = parent + new FieldPath(Name, container);
        MaxRepetitionLevel = repetitionLevel + 1;
        MaxDefinitionLevel = definitionLevel + (IsNullable ? 2 : 1);
        Key.Attach(Path, MaxDefinitionLevel, MaxRepetitionLevel);
        Value.Attach(Path, MaxDefinitionLevel, MaxRepetitionLevel);
    }
}
