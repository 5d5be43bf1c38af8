using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>Reads rows that are JSON objects: one per line, in an array, or spread over the lists of COCO.</summary>
internal static class JsonTable
{
    // In characters, for a line.
    private const int LongestLine = 8 << 20;

    private static readonly JsonSerializerOptions CocoJson = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Opens JSON lines.</summary>
    /// <param name="file">A seekable stream, which stays open.</param>
    /// <param name="encoding">Encoding of a file without a byte order mark.</param>
    public static async Task<TableRows> OpenLinesAsync(Stream file, Encoding encoding, CancellationToken cancellationToken) =>
        new(TextEncoding.NameOf(await TextEncoding.FindAsync(file, encoding, cancellationToken)),
            ReadLinesAsync(file, encoding, cancellationToken));

    /// <summary>Opens a JSON list: an array of objects, or an object with lists of images, annotations and categories.</summary>
    /// <param name="file">A seekable stream, which stays open.</param>
    /// <param name="encoding">Encoding of a file without a byte order mark.</param>
    /// <param name="name">Name of the file, for errors.</param>
    /// <exception cref="InvalidDataException">The file holds neither.</exception>
    public static async Task<TableRows> OpenListAsync(Stream file, Encoding encoding, string name, CancellationToken cancellationToken)
    {
        var found = await TextEncoding.FindAsync(file, encoding, cancellationToken);
        var suffix = found.CodePage == TextEncoding.Utf8.CodePage ? "" : $", {TextEncoding.NameOf(found)}";
        switch (await FirstCharacterAsync(file, encoding, cancellationToken))
        {
            case '[':
                return new TableRows($"an array of objects{suffix}", ReadArrayAsync(file, found, cancellationToken));
            case '{' when await IsLinesAsync(file, encoding, cancellationToken):
                return await OpenLinesAsync(file, encoding, cancellationToken);
            case '{':
                try
                {
                    var json = TextEncoding.ReadJson(file, found);
                    if (await JsonSerializer.DeserializeAsync<CocoLists>(json, CocoJson, cancellationToken) is { Images: not null } coco)
                        return new TableRows($"images, annotations and categories as in COCO{suffix}", Rows(coco).ToAsyncEnumerable());
                }
                catch (JsonException e)
                {
                    throw new InvalidDataException($"{name} cannot be read: {e.Message}", e);
                }
                break;
        }
        throw new InvalidDataException($"{name} is neither an array of objects, nor an object with images, annotations and categories");
    }

    /// <summary>
    /// Returns a JSON object as a row of texts: the items of a list are separated as in an answer, and a list of images stays JSON.
    /// </summary>
    public static TableRow Row(JsonElement element)
    {
        var members = element.EnumerateObject().ToList();
        return new TableRow([.. members.Select(member => member.Name)], [.. members.Select(member => TextOf(member.Value))]);
    }

    private static async IAsyncEnumerable<TableRow> ReadLinesAsync(
        Stream file, Encoding encoding, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = TextEncoding.Read(file, encoding);
        var number = 0L;
        await foreach (var line in LinesAsync(reader, cancellationToken))
        {
            number++;
            if (line is null) yield return TableRow.Unreadable(Text($"line {number} has more than {LongestLine:N0} characters"));
            else if (!string.IsNullOrWhiteSpace(line)) yield return Parse(line, number);
        }
    }

    /// <summary>Reads lines; one that is too long is null.</summary>
    private static async IAsyncEnumerable<string?> LinesAsync(
        StreamReader reader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new char[1 << 16];
        var line = new StringBuilder();
        var isTooLong = false;
        for (int count; (count = await reader.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            for (var start = 0; start < count;)
            {
                var end = buffer.AsSpan(start, count - start).IndexOf('\n');
                var length = end < 0 ? count - start : end;
                if (line.Length + length > LongestLine) isTooLong = true;
                if (isTooLong) line.Clear();
                else line.Append(buffer, start, length);
                start += length + 1;
                if (end < 0) break;
                yield return isTooLong ? null : line.ToString();
                line.Clear();
                isTooLong = false;
            }
        }
        if (isTooLong) yield return null;
        else if (line.Length > 0) yield return line.ToString();
    }

    private static TableRow Parse(string line, long number)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object ? Row(document.RootElement)
                : TableRow.Unreadable(Text($"line {number} is no JSON object"));
        }
        catch (JsonException e)
        {
            return TableRow.Unreadable(Text($"line {number} is no JSON: {e.Message}"));
        }
    }

    private static async IAsyncEnumerable<TableRow> ReadArrayAsync(
        Stream file, Encoding found, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var json = TextEncoding.ReadJson(file, found);
        var elements = JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(json, cancellationToken: cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        await using var _ = elements;
        for (var number = 1L; ; number++)
        {
            TableRow row;
            try
            {
                if (!await elements.MoveNextAsync()) yield break;
                row = elements.Current.ValueKind == JsonValueKind.Object ? Row(elements.Current)
                    : TableRow.Unreadable(Text($"element {number} is no JSON object"));
            }
            catch (JsonException e)
            {
                row = TableRow.Unreadable(Text($"element {number} is no JSON: {e.Message} The rest is not read"));
            }
            yield return row;
            if (row.Fault?.EndsWith("not read", StringComparison.Ordinal) == true) yield break;
        }
    }

    // The category of the largest annotation of an image.
    private static IEnumerable<TableRow> Rows(CocoLists coco)
    {
        var names = (coco.Categories ?? []).DistinctBy(category => category.Id)
            .ToDictionary(category => category.Id, category => category.Name);
        var annotations = (coco.Annotations ?? []).ToLookup(annotation => annotation.ImageId);
        string[] columns = ["image", "category", "caption"];
        foreach (var image in coco.Images!)
        {
            var ofImage = annotations[image.Id].OrderByDescending(annotation => annotation.Area).ToList();
            yield return new TableRow(columns,
            [
                image.FileName ?? image.CocoUrl,
                ofImage.Select(annotation => annotation.CategoryId is { } id ? names.GetValueOrDefault(id) : null).FirstOrDefault(),
                ofImage.Select(annotation => annotation.Caption).FirstOrDefault(caption => caption is not null),
            ]);
        }
    }

    private static async Task<int> FirstCharacterAsync(Stream file, Encoding encoding, CancellationToken cancellationToken)
    {
        using var reader = TextEncoding.Read(file, encoding);
        var buffer = new char[1024];
        while (await reader.ReadAsync(buffer, cancellationToken) is > 0 and var count)
            foreach (var character in buffer.AsMemory(0, count).ToArray())
                if (!char.IsWhiteSpace(character)) return character;
        return -1;
    }

    // Some tools name JSON lines .json: then the first line is a complete object.
    private static async Task<bool> IsLinesAsync(Stream file, Encoding encoding, CancellationToken cancellationToken)
    {
        using var reader = TextEncoding.Read(file, encoding);
        return await LinesAsync(reader, cancellationToken).FirstOrDefaultAsync(cancellationToken) is { } line
            && Parse(line, 1) is { Fault: null } row && !row.Columns.Contains("images");
    }

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => value.GetString() is { Length: > 0 } text ? text : null,
        // A path or URL may have the separator of items in it.
        JsonValueKind.Array when ImageReferences.Of(value.GetRawText()) is { Count: > 0 } => value.GetRawText(),
        JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object)) =>
            value.GetArrayLength() == 0 ? null
                : string.Join(FieldValue.ItemSeparator, value.EnumerateArray().Select(TextOf).Where(item => item is not null)),
        JsonValueKind.Array or JsonValueKind.Object => JsonSerializer.Serialize(value, PipelineJson.Compact),
        _ => value.GetRawText(),
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record CocoLists(
        IReadOnlyList<CocoImage>? Images, IReadOnlyList<CocoAnnotation>? Annotations, IReadOnlyList<CocoCategory>? Categories);

    private sealed record CocoImage([property: JsonConverter(typeof(IdConverter))] string Id, string? FileName, string? CocoUrl);

    private sealed record CocoAnnotation(
        [property: JsonConverter(typeof(IdConverter))] string ImageId,
        [property: JsonConverter(typeof(IdConverter))] string? CategoryId, double? Area, string? Caption);

    private sealed record CocoCategory([property: JsonConverter(typeof(IdConverter))] string Id, string Name);

    /// <summary>Reads ids, which are numbers in some files and strings in others.</summary>
    private sealed class IdConverter : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString(),
                JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
                _ => throw new JsonException("an id is a number or a string"),
            };

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }
}
