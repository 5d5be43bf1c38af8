using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>Checks values of further fields, and cleans them so that an answer that has them can be parsed again.</summary>
internal static class FieldText
{
    /// <summary>Reason and details for rejecting a row with a value that its field cannot have; null when the field can have it.</summary>
    public static (string Reason, string Detail)? Fault(FieldDefinition field, FieldValue value) => field.Kind switch
    {
        FieldKind.Number => value.Number is { } number && double.IsFinite(number) && number >= 0
            ? null
            : (Rejection.BadNumber, $"{field.Name}: {value} is no number of 0 or more"),
        FieldKind.List => value.Items is null ? Unfit(field, value, "a list of texts") : null,
        _ => value.Text is null ? Unfit(field, value, "a text") : null,
    };

    /// <summary>
    /// Returns a text in one line without surrounding white space, and a list of such texts without semicolons, which separate items in an
    /// answer; null when nothing is left.
    /// </summary>
    public static FieldValue? Clean(FieldValue value)
    {
        if (value.Text is { } text) return Line(text) is { Length: > 0 } line ? new FieldValue(line) : null;
        if (value.Items is null) return value;
        string[] items = [.. value.Items.Select(item => Line(item).Replace(';', ',')).Where(item => item.Length > 0)];
        return items.Length == 0 ? null : new FieldValue(items);
    }

    private static (string, string) Unfit(FieldDefinition field, FieldValue value, string wanted) =>
        (Rejection.UnreadableRow, $"{field.Name}: {value} must be {wanted}");

    private static string Line(string text) => text.ReplaceLineEndings(" ").Trim();
}
