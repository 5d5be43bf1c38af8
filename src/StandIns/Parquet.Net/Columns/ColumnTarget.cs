namespace Parquet.Columns;

/// <summary>Where a column's values and levels go; the level buffers are empty where there are no levels.</summary>
internal sealed record ColumnTarget<T>(Memory<T> Values, Memory<int> DefinitionLevels, Memory<int> RepetitionLevels);
