namespace Parquet.Schema;

/// <summary>What a field of a schema is.</summary>
public enum SchemaType
{
    Data,
    Map,
    Struct,
    List,
}
