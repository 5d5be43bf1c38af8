using System.Globalization;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Sources;
using Parquet.Schema;

namespace FunctionsPipeline.Datasets.Rows;

/// <summary>Guesses the column mapping from features, types, names and first values.</summary>
/// <param name="Columns">The guessed mapping; its image column is the default name when <see cref="Problem"/> says that none was
/// found.</param>
/// <param name="Reasons">Reasons for the guessed columns, by role.</param>
/// <param name="Problem">Human-readable reason why the mapping is unusable; null when it is usable.</param>
internal sealed partial record ColumnGuess(ColumnMapping Columns, IReadOnlyDictionary<string, string> Reasons, string? Problem)
{
    // Names in order of preference, compared by letters only and ignoring case: English, then German, French, Spanish, Italian and Dutch.
    private static readonly string[] Titles =
    [
        "title", "producttitle", "productname", "productdisplayname", "itemname", "itemtitle", "displayname", "name", "caption", "captions",
        "text", "description", "productdescription", "shortdescription",
        "bezeichnung", "artikelbezeichnung", "produktname", "artikelname", "titel", "beschreibung", "libellé", "désignation", "titre",
        "nom", "título", "titulo", "nombre", "descripción", "descripcion", "titolo", "nome", "denominazione", "naam", "omschrijving",
    ];

    private static readonly string[] Categories =
    [
        "category", "articletype", "producttype", "class", "label", "labels", "type", "department",
        "kategorie", "warengruppe", "produktgruppe", "artikelgruppe", "catégorie", "rayon", "categoría", "categoria", "categorie",
    ];

    private static readonly string[] Prices =
    [
        "fullprice", "listprice", "originalprice", "regularprice", "retailprice", "price", "saleprice", "amount", "cost",
        "listenpreis", "preis", "verkaufspreis", "prix", "precio", "prezzo", "prijs",
    ];

    private static readonly string[] Products =
    [
        "productcode", "productid", "productsku", "sku", "asin", "itemid", "itemcode", "articleid", "articlenumber",
        "artikelnummer", "artikelnr", "référence", "reference", "referencia", "codice", "artikelcode",
    ];

    /// <summary>Guesses from the description by <see cref="ParquetFile.DescribeColumns"/>.</summary>
    /// <param name="columns">All columns, in the dataset's order.</param>
    /// <param name="sample">Rows from <see cref="SampleRows"/>; when empty, only names and types are used.</param>
    public static ColumnGuess From(IReadOnlyList<ColumnInfo> columns, IReadOnlyList<IReadOnlyDictionary<string, string?>> sample)
    {
        var reasons = new Dictionary<string, string>();
        var left = columns.ToList();
        var image = Take("image", FindImage(left, sample));
        var category = Take("category", FindCategory(left));
        var title = Take("title", ByName(left.Where(IsText), Titles, "title"));
        var price = Take("price", FindPrice(left, sample));
        var product = Take("product", ByName(left.Where(c => IsText(c) || IsInteger(c)), Products, fragment: null));
        var mapping = new ColumnMapping { Title = title, Category = category, Price = price, Product = product };
        var problem = image is null
            ? "no column looks like an image: none is an Image feature, holds a file's bytes, has names of image files, or URLs and a "
                + "name that says so"
            : title is null && category is null && price is null
                ? "no column looks like a title, a category or a price: there is nothing to learn about the images"
                : null;
        return new ColumnGuess(image is null ? mapping : mapping with { Image = image }, reasons, problem);

        string? Take(string role, (ColumnInfo Column, string Reason)? found)
        {
            if (found is not { } candidate) return null;
            reasons[role] = $"{candidate.Column.Name}: {candidate.Reason}";
            left.Remove(candidate.Column);
            return candidate.Column.Name;
        }
    }

    private static (ColumnInfo, string)? FindImage(List<ColumnInfo> columns, IReadOnlyList<IReadOnlyDictionary<string, string?>> sample) =>
        First(columns, c => c.Feature == ColumnFeature.Image, "its feature is Image")
        ?? First(columns, c => c.Type.Contains("bytes: binary", StringComparison.Ordinal), "it holds the bytes of files")
        ?? First(columns, c => IsText(c) && ImageName().IsMatch(c.Name) && HasUrls(c, sample),
            "a string column whose name says image, with URLs")
        ?? First(columns, c => Element(c) == "binary" && ImageName().IsMatch(c.Name), "a binary column whose name says image")
        ?? First(columns, c => IsText(c) && UrlName().IsMatch(c.Name) && HasUrls(c, sample),
            "a string column whose name says URL, with URLs")
        ?? First(columns, c => IsText(c) && Values(c, sample).Any(DatasetForm.IsImage), "a string column with names of image files");

    private static (ColumnInfo, string)? FindCategory(List<ColumnInfo> columns)
    {
        var labels = columns.Where(c => c.Feature?.StartsWith(ColumnFeature.ClassLabel, StringComparison.Ordinal) == true).ToList();
        if (labels.Count > 0) return (ByName(labels, Categories, "categor")?.Column ?? labels[0], "its feature is ClassLabel");
        var fitting = columns.Where(c => IsText(c) || IsInteger(c)).ToList();
        // The last level is the most specific one, as in category1 to category3, or category and subcategory.
        var levels = fitting.Where(c => c.Name.Contains("categor", StringComparison.OrdinalIgnoreCase)).OrderByDescending(Level).ToList();
        if (levels.Count > 1) return (levels[0], "its name says category, and it is the most specific of several");
        return ByName(fitting, Categories, "categor");
    }

    private static (ColumnInfo, string)? FindPrice(List<ColumnInfo> columns, IReadOnlyList<IReadOnlyDictionary<string, string?>> sample) =>
        ByName(columns.Where(IsNumber), Prices, "price")
        ?? ByName(
            columns.Where(c => IsText(c)
                && Values(c, sample).Any(value => PriceText.Parse(value) is { } number && double.IsFinite(number))),
            Prices, "price");

    private static (ColumnInfo Column, string Reason)? ByName(IEnumerable<ColumnInfo> columns, string[] names, string? fragment)
    {
        var all = columns.ToList();
        foreach (var name in names)
        {
            if (all.FirstOrDefault(c => NotALetter().Replace(c.Name, "").Equals(name, StringComparison.OrdinalIgnoreCase)) is { } column)
                return (column, $"{Article(column)} column of that name");
        }
        return fragment is not null && all.FirstOrDefault(c => c.Name.Contains(fragment, StringComparison.OrdinalIgnoreCase)) is { } like
            ? (like, $"{Article(like)} column whose name has '{fragment}'")
            : null;
    }

    private static (ColumnInfo, string)? First(List<ColumnInfo> columns, Func<ColumnInfo, bool> fits, string reason) =>
        columns.FirstOrDefault(fits) is { } column ? (column, reason) : null;

    private static int Level(ColumnInfo column) =>
        (int.TryParse(Digits().Match(column.Name).Value, CultureInfo.InvariantCulture, out var level) ? level : 0)
        + (column.Name.Contains("sub", StringComparison.OrdinalIgnoreCase) ? 1 : 0);

    private static string Article(ColumnInfo column) => Element(column) is var type && type[0] is 'i' ? $"an {type}" : $"a {type}";

    private static string Element(ColumnInfo column) =>
        column.Type.StartsWith("list<", StringComparison.Ordinal) ? column.Type[5..^1] : column.Type;

    private static bool IsText(ColumnInfo column) => Element(column) == "string";

    private static bool IsInteger(ColumnInfo column) => IntegerType().IsMatch(Element(column));

    private static bool IsNumber(ColumnInfo column) =>
        IsInteger(column) || Element(column) is "float" or "double" or "half"
        || Element(column).StartsWith("decimal", StringComparison.Ordinal);

    private static IEnumerable<string> Values(ColumnInfo column, IReadOnlyList<IReadOnlyDictionary<string, string?>> sample) =>
        sample.Select(row => row.GetValueOrDefault(column.Name)).OfType<string>();

    // Without sample values, the column's name is sufficient.
    private static bool HasUrls(ColumnInfo column, IReadOnlyList<IReadOnlyDictionary<string, string?>> sample) =>
        !Values(column, sample).Any() || Values(column, sample).Any(value => Url().IsMatch(value));

    [GeneratedRegex("^https?://", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Url();

    [GeneratedRegex(
        "image|img|photo|picture|thumbnail|bild|foto|imagen|immagine|afbeelding", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ImageName();

    [GeneratedRegex("url|link", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex UrlName();

    [GeneratedRegex("^u?int(8|16|32|64)$", RegexOptions.CultureInvariant)]
    private static partial Regex IntegerType();

    [GeneratedRegex(@"[^\p{L}]", RegexOptions.CultureInvariant)]
    private static partial Regex NotALetter();

    [GeneratedRegex(@"\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Digits();
}

/// <summary>Reads the first rows of a Parquet file as text, for display.</summary>
internal static class SampleRows
{
    // Maximum bytes fetched per column chunk; larger ones mostly hold images, for which the type is shown instead.
    private const long LargestColumn = 8 << 20;
    private const int LongestText = 200;

    /// <summary>
    /// Returns one dictionary by column name per row. Long texts are shortened, embedded images are replaced by their size, and columns
    /// that cannot be shown by the reason.
    /// </summary>
    public static async Task<IReadOnlyList<IReadOnlyDictionary<string, string?>>> ReadAsync(
        ParquetFile file, int rows, CancellationToken cancellationToken)
    {
        var sample = new List<Dictionary<string, string?>>();
        for (var group = 0; group < file.RowGroups.Count && sample.Count < rows; group++)
        {
            var count = (int)Math.Min(file.RowGroups[group].NumRows, rows - sample.Count);
            var columns = new List<(string Name, Func<int, string?> Text)>();
            foreach (var field in file.Columns)
                columns.Add((field.Name, await ReadAsync(file, group, field, count, cancellationToken)));
            for (var row = 0; row < count; row++) sample.Add(columns.ToDictionary(column => column.Name, column => column.Text(row)));
        }
        return sample;
    }

    private static async Task<Func<int, string?>> ReadAsync(
        ParquetFile file, int group, Field field, int rows, CancellationToken cancellationToken)
    {
        try
        {
            if (ResolvedMapping.ElementOf(field) is DataField data && ColumnType.Find(file, data) is { } type)
            {
                if (TooLarge(file, group, field, data) is { } large) return _ => large;
                var column = await type.ReadAsync(file, group, data, cancellationToken);
                return row => Shortened(column.Text(row));
            }
            if (ImageColumn.Find(file, field) is { } image)
            {
                if (TooLarge(file, group, field, image.Bytes!) is { } large) return _ => large;
                var images = await image.ReadAsync(file, group, [.. Enumerable.Range(0, rows)], cancellationToken);
                return row => images.First(row) is ({ } bytes, _)
                    ? string.Create(CultureInfo.InvariantCulture, $"embedded, {bytes.Length:N0} bytes")
                    : Shortened(images.First(row).Url);
            }
            return _ => $"({ArrowTypeName.Of(file, field)})";
        }
        catch (DamagedColumnException e)
        {
            return _ => $"(unreadable: {e.Message})";
        }
    }

    private static string? TooLarge(ParquetFile file, int group, Field field, DataField data) =>
        file.SizeOf(group, data) is > LargestColumn and var size
            ? string.Create(CultureInfo.InvariantCulture, $"({ArrowTypeName.Of(file, field)}, {size / 1e6:N0} MB in a row group)")
            : null;

    private static string? Shortened(string? text) => text is null ? null : ShortText.Of(text, LongestText);
}
