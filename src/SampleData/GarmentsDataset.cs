using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Parquet;
using Parquet.Schema;

namespace FunctionsPipeline.SampleData;

/// <summary>
/// The synthetic catalog as a dataset repository, with the columns of <c>DBQ/Burberry.Product.prices.United.States</c>, colour and pattern:
/// one split, images by URL.
/// </summary>
public static class GarmentsDataset
{
    public const string Id = "samples/garments";
    public const string Config = "default";
    private const int RowsPerGroup = 1000;

    /// <param name="catalog">The products.</param>
    /// <param name="rows">Number of products in the dataset.</param>
    /// <param name="images">Base URL of the images, to which product codes are appended; stored in the rows, so that another base URL
    /// gives another commit.</param>
    /// <param name="folder">Folder that the Parquet file is written to.</param>
    public static SampleRepository Create(GarmentCatalog catalog, int rows, Uri images, string folder)
    {
        var content = $"garments 2, {rows} rows, seed {catalog.Seed}, {images}";
        const string ParquetPath = $"{Config}/train/0000.parquet";
        var card = RepositoryFile.Written("README.md", Path.Combine(folder, "README.md"), stream => stream.WriteAsync(
            Encoding.UTF8.GetBytes(
                "# Garments\n\nA synthetic product catalog: drawn garments with title, category and price.\n")).AsTask());
        var parquet = RepositoryFile.Written(ParquetPath, Path.Combine(folder, ParquetPath),
            stream => WriteAsync(catalog, rows, images, stream));
        return new SampleRepository("datasets", Id, new Dictionary<string, RepositorySnapshot>
        {
            [SampleRepository.Main] = new(SampleRepository.CommitOf(content), [card]),
            [SampleRepository.ConvertedParquet] = new(SampleRepository.CommitOf(content, "parquet"), [parquet]),
        })
        {
            Parquet = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>
            {
                [Config] = new Dictionary<string, IReadOnlyList<string>> { ["train"] = [ParquetPath] },
            },
        };
    }

    private static async Task WriteAsync(GarmentCatalog catalog, int rows, Uri images, Stream stream)
    {
        var strings = new (DataField Field, Func<CatalogRow, string> Value)[]
        {
            (Text("website_name"), _ => "Samples"),
            (Text("competence_date"), _ => "2026-01-15"),
            (Text("country_code"), _ => "USA"),
            (Text("currency_code"), _ => "USD"),
            (Text("brand"), _ => "SAMPLES"),
            (Text("category1_code"), _ => "APPAREL"),
            (Text("category2_code"), row =>
                row.Garment.Kind is GarmentKind.Hat or GarmentKind.Bag or GarmentKind.Shoe ? "ACCESSORIES" : "CLOTHING"),
            (Text("category3_code"), row => row.Garment.Category),
            (Text("title"), row => row.Garment.Title),
            (Text("colour"), row => row.Garment.Colour.ToString()),
            (Text("pattern"), row => row.Garment.Checked ? "Check" : "Plain"),
            (Text("itemurl"), row => $"{images}{row.ProductCode}.html"),
            (Text("imageurl"), row => row.Defect == RowDefect.NoImageUrl ? "N.A." : $"{images}{catalog[row.ImageIndex].ProductCode}"),
        };
        var longs = new (DataField Field, Func<CatalogRow, long> Value)[]
        {
            (new DataField<long>("product_code", true), row => row.ProductCode),
            (new DataField<long>("flg_discount", true), row => IsDiscounted(row) ? 1 : 0),
        };
        var doubles = new (DataField Field, Func<CatalogRow, double> Value)[]
        {
            (new DataField<double>("full_price", true), row => row.Garment.Price),
            (new DataField<double>("price", true), row => Price(row)),
            (new DataField<double>("full_price_eur", true), row => Math.Round(row.Garment.Price * 0.92, 2)),
            (new DataField<double>("price_eur", true), row => Math.Round(Price(row) * 0.92, 2)),
        };
        Field[] fields = [.. strings.Select(c => c.Field), .. longs.Select(c => c.Field), .. doubles.Select(c => c.Field)];
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), stream,
            new ParquetOptions { CompressionMethod = CompressionMethod.Snappy });
        for (var start = 0; start < rows; start += RowsPerGroup)
        {
            var group = Enumerable.Range(start, Math.Min(RowsPerGroup, rows - start)).Select(i => catalog[i]).ToArray();
            using var rowGroup = writer.CreateRowGroup();
            foreach (var (field, value) in strings) await rowGroup.WriteAsync(field, group.Select(value).ToArray());
            foreach (var (field, value) in longs)
                await rowGroup.WriteAsync<long>(field, group.Select(row => (long?)value(row)).ToArray());
            foreach (var (field, value) in doubles)
                await rowGroup.WriteAsync<double>(field, group.Select(row => (double?)value(row)).ToArray());
            rowGroup.CompleteValidate();
        }
    }

    private static DataField Text(string name) => new DataField<string>(name);

    private static bool IsDiscounted(CatalogRow row) => row.Index % 10 == 7;

    private static double Price(CatalogRow row) => IsDiscounted(row) ? Math.Round(row.Garment.Price * 0.7, 2) : row.Garment.Price;
}

/// <summary>
/// Serves the images at the catalog's image URLs, drawn on request. The URLs have no file extension, as in real catalogs.
/// </summary>
internal sealed class CatalogImages(GarmentCatalog catalog)
{
    public const string Path = "/pictures/";

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet(Path + "{code:long}", SendAsync);

    private Task SendAsync(HttpContext context, long code)
    {
        var index = code - catalog[0].ProductCode;
        var row = index is >= 0 and < int.MaxValue ? catalog[(int)index] : null;
        switch (row?.Defect)
        {
            case null or RowDefect.MissingImage or RowDefect.NoImageUrl:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            case RowDefect.PageInsteadOfImage:
                context.Response.ContentType = "text/html";
                return context.Response.WriteAsync("<html><body>This picture is no longer available.</body></html>");
        }
        var jpeg = catalog.Jpeg(row);
        context.Response.ContentType = "image/jpeg";
        return context.Response.Body.WriteAsync(row.Defect == RowDefect.TruncatedImage ? jpeg.AsMemory(0, jpeg.Length / 2) : jpeg).AsTask();
    }
}
