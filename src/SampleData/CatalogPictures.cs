using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace FunctionsPipeline.SampleData;

/// <summary>
/// Serves the images at the catalog's image URLs, drawn on request. The URLs have no file extension, as in real catalogs.
/// </summary>
internal sealed class CatalogPictures(GarmentCatalog catalog)
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
