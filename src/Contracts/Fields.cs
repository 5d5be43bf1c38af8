using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FunctionsPipeline.Contracts;

/// <summary>Kinds of fields, which decide how a value is read, answered and measured.</summary>
public enum FieldKind
{
    /// <summary>Free text of one line.</summary>
    Text,

    /// <summary>One of the values that the training split has.</summary>
    Category,

    /// <summary>A number of 0 or more, with a unit or without.</summary>
    Number,

    /// <summary>Several texts, in an answer separated by semicolons.</summary>
    List,
}

/// <summary>A field of a product that the model learns to answer.</summary>
/// <param name="Name">Name in templates, documents and metrics: a lower-case letter, then letters and digits.</param>
/// <param name="Unit">Unit of a number, such as <c>g</c>, which follows the number in an answer; null for none.</param>
public sealed record FieldDefinition(string Name, FieldKind Kind, string? Unit = null)
{
    /// <summary>Name of the field in <see cref="ILabels.Title"/>.</summary>
    public const string Title = "title";

    /// <summary>Name of the field in <see cref="ILabels.Category"/>.</summary>
    public const string Category = "category";

    /// <summary>Name of the field in <see cref="ILabels.Price"/>.</summary>
    public const string Price = "price";

    /// <summary>Title, category and price.</summary>
    public static IReadOnlyList<FieldDefinition> Defaults { get; } =
        [new(Title, FieldKind.Text), new(Category, FieldKind.Category), new(Price, FieldKind.Number)];

    /// <summary>The fields that an answer template may name: title, category and price, mapped or not, and the further ones.</summary>
    public static IReadOnlyList<FieldDefinition> OfAnswers(ColumnMapping? columns) => [.. Defaults, .. columns?.Further ?? []];
}

/// <summary>The fields of a product that are known: title, category and price as members, any others by name.</summary>
public interface ILabels
{
    string? Title { get; }

    string? Category { get; }

    double? Price { get; }

    /// <summary>Values of the fields besides title, category and price; null for none.</summary>
    FieldValues? Fields { get; }
}

/// <summary>Reads the fields of a product by name.</summary>
public static class Labels
{
    /// <summary>Returns the value of a field; null when it is unknown.</summary>
    public static FieldValue? ValueOf(this ILabels labels, string field) => field switch
    {
        FieldDefinition.Title => labels.Title is { } title ? new FieldValue(title) : null,
        FieldDefinition.Category => labels.Category is { } category ? new FieldValue(category) : null,
        FieldDefinition.Price => labels.Price is { } price ? new FieldValue(price) : null,
        _ => labels.Fields?.GetValueOrDefault(field),
    };

    /// <summary>Returns the fields as an answer.</summary>
    public static Answer ToAnswer(this ILabels labels) => new(labels.Title, labels.Category, labels.Price) { Fields = labels.Fields };
}

/// <summary>Value of a field: a text, a number, or a list of texts; in JSON a string, a number, or an array of strings.</summary>
[JsonConverter(typeof(FieldValueConverter))]
public sealed class FieldValue : IEquatable<FieldValue>
{
    /// <summary>Text between two items of a list in an answer.</summary>
    public const string ItemSeparator = "; ";

    public FieldValue(string text) => Text = text;

    public FieldValue(double number) => Number = number;

    public FieldValue(IEnumerable<string> items) => Items = [.. items];

    /// <summary>The text of a field of kind <see cref="FieldKind.Text"/> or <see cref="FieldKind.Category"/>; null otherwise.</summary>
    public string? Text { get; }

    /// <summary>The number of a field of kind <see cref="FieldKind.Number"/>; null otherwise.</summary>
    public double? Number { get; }

    /// <summary>The items of a field of kind <see cref="FieldKind.List"/>; null otherwise.</summary>
    public IReadOnlyList<string>? Items { get; }

    public bool Equals(FieldValue? other) => other is not null && Text == other.Text && Nullable.Equals(Number, other.Number)
        && (Items is null ? other.Items is null : other.Items is not null && Items.SequenceEqual(other.Items, StringComparer.Ordinal));

    public override bool Equals(object? obj) => Equals(obj as FieldValue);

    public override int GetHashCode() => HashCode.Combine(Text, Number, Items is null ? 0 : Items.Count);

    /// <summary>Formats the value as in an answer, without a unit.</summary>
    public override string ToString() =>
        Text ?? Number?.ToString("0.######", CultureInfo.InvariantCulture) ?? string.Join(ItemSeparator, Items!);
}

/// <summary>Values by field, in the order of the names.</summary>
[JsonConverter(typeof(FieldValuesConverter))]
public sealed class FieldValues : IReadOnlyDictionary<string, FieldValue>, IEquatable<FieldValues>
{
    private readonly SortedDictionary<string, FieldValue> _values = new(StringComparer.Ordinal);

    public FieldValues(IEnumerable<KeyValuePair<string, FieldValue>> values)
    {
        foreach (var (name, value) in values) _values[name] = value;
    }

    public IEnumerable<string> Keys => _values.Keys;

    public IEnumerable<FieldValue> Values => _values.Values;

    public int Count => _values.Count;

    public FieldValue this[string key] => _values[key];

    /// <summary>Collects the values that are known; null when none is.</summary>
    public static FieldValues? Of(IEnumerable<KeyValuePair<string, FieldValue?>> values)
    {
        var known = new FieldValues(values.Where(value => value.Value is not null)
            .Select(value => KeyValuePair.Create(value.Key, value.Value!)));
        return known.Count == 0 ? null : known;
    }

    public bool ContainsKey(string key) => _values.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out FieldValue value) => _values.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<string, FieldValue>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public bool Equals(FieldValues? other) => other is not null && _values.SequenceEqual(other._values);

    public override bool Equals(object? obj) => Equals(obj as FieldValues);

    public override int GetHashCode() =>
        _values.Aggregate(0, (hash, value) => HashCode.Combine(hash, value.Key, value.Value));
}

internal sealed class FieldValueConverter : JsonConverter<FieldValue>
{
    public override FieldValue Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType switch
        {
            JsonTokenType.String => new FieldValue(reader.GetString()!),
            JsonTokenType.Number => new FieldValue(reader.GetDouble()),
            JsonTokenType.StartArray => new FieldValue(Items(ref reader)),
            _ => throw new JsonException("a field's value is a string, a number or an array of strings"),
        };

    public override void Write(Utf8JsonWriter writer, FieldValue value, JsonSerializerOptions options)
    {
        if (value.Text is { } text) writer.WriteStringValue(text);
        else if (value.Number is { } number) writer.WriteNumberValue(number);
        else
        {
            writer.WriteStartArray();
            foreach (var item in value.Items!) writer.WriteStringValue(item);
            writer.WriteEndArray();
        }
    }

    private static List<string> Items(ref Utf8JsonReader reader)
    {
        var items = new List<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            items.Add(reader.TokenType == JsonTokenType.String ? reader.GetString()!
                : throw new JsonException("the items of a list are strings"));
        }
        return items;
    }
}

internal sealed class FieldValuesConverter : JsonConverter<FieldValues>
{
    public override FieldValues Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return new FieldValues(
                JsonSerializer.Deserialize<Dictionary<string, FieldValue?>>(ref reader, options)!.Where(value => value.Value is not null)!);
        }
        // Its path begins at the values; without one, the outer reader gives that of the document's member.
        catch (JsonException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    public override void Write(Utf8JsonWriter writer, FieldValues value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.ToDictionary(), options);
}
