using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>Computes the summary of a dataset's rows.</summary>
internal sealed class CatalogSummaries
{
    private const int CategoriesShown = 200;

    private readonly SortedDictionary<string, long> _splits = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _categories = [];
    private readonly Distributions _prices = new();
    private readonly Distributions _longerSides = new();
    private readonly Distributions _fileSizes = new();
    private RowCounts _counts = new();

    public CatalogSummary Result => new()
    {
        Counts = _counts,
        Splits = new Dictionary<string, long>(_splits),
        Categories = _categories.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Take(CategoriesShown).ToDictionary(),
        CategoryCount = _categories.Count,
        Prices = _prices.Result,
        LongerSides = _longerSides.Result,
        FileSizes = _fileSizes.Result,
    };

    /// <summary>Adds the rows of a unit, with duplicates marked.</summary>
    public void Add(IReadOnlyList<ManifestRow> rows)
    {
        _counts = rows.Aggregate(_counts, (sum, row) => sum + ManifestStore.Count(row));
        foreach (var row in rows.Where(row => row.State == RowState.Stored))
        {
            _splits[row.Split] = _splits.GetValueOrDefault(row.Split) + 1;
            if (row.Category is not null) _categories[row.Category] = _categories.GetValueOrDefault(row.Category) + 1;
            if (row.Price is { } price) _prices.Add(price);
            _longerSides.Add(Math.Max(row.Width, row.Height));
            _fileSizes.Add(row.Bytes);
        }
    }
}
