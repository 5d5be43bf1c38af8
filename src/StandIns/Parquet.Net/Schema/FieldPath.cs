namespace Parquet.Schema;

/// <summary>The names from the root of a schema down to a field, joined with <c>/</c> when shown.</summary>
public sealed class FieldPath : IEquatable<FieldPath>
{
    private readonly List<string> parts;

    public FieldPath(string firstPart) => parts = [firstPart];

    public FieldPath(IEnumerable<string> parts) => this.parts = [.. parts];

    public FieldPath(params string[] parts)
        : this((IEnumerable<string>)parts)
    {
    }

    public string? FirstPart => parts.Count == 0 ? null : parts[0];

    public int Length => parts.Count;

    public string this[int i] => parts[i];

    public static FieldPath operator +(FieldPath? left, FieldPath? right) => new([.. left?.parts ?? [], .. right?.parts ?? []]);

    public List<string> ToList() => [.. parts];

    public bool Equals(FieldPath? other) => other is not null && parts.SequenceEqual(other.parts);

    public override bool Equals(object? obj) => Equals(obj as FieldPath);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var part in parts) hash.Add(part);
        return hash.ToHashCode();
    }

    public override string ToString() => string.Join('/', parts);
}
