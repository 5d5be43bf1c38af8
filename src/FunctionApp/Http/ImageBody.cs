using System.Net.Mime;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>The image in a request: its body, or the only file of a form.</summary>
/// <param name="Content">The image, seekable: large ones are in a temporary file until the request ends.</param>
/// <param name="MediaType">Type that the caller names for it.</param>
internal sealed record ImageBody(Stream Content, string MediaType)
{
    /// <exception cref="RequestException">There is no image in the request, or it is too large.</exception>
    public static async Task<ImageBody> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        // A body that is too large is read to its end and then refused: were the connection closed before, the caller would see an error
        // without a reason. The Functions host bounds the size of requests.
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        var image = request.ContentType?.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) == true
            ? await FileAsync(request, cancellationToken)
            : await RawAsync(request, cancellationToken);
        var most = ImageLimits.Default.MaxBytes;
        return image.Content.Length <= most
            ? image
            : throw Refusal(StatusCodes.Status413PayloadTooLarge, $"The image has {image.Content.Length} bytes, must have at most {most}.");
    }

    private static async Task<ImageBody> RawAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        request.EnableBuffering();
        await request.Body.DrainAsync(cancellationToken);
        request.Body.Position = 0;
        return new ImageBody(request.Body, ImageType(request.ContentType));
    }

    private static async Task<ImageBody> FileAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var form = await request.ReadFormAsync(new FormOptions { MultipartBodyLengthLimit = long.MaxValue }, cancellationToken);
            return form.Files is [var file]
                ? new ImageBody(file.OpenReadStream(), ImageType(file.ContentType))
                : throw Refusal(StatusCodes.Status400BadRequest, $"The form has {form.Files.Count} files, must have one: the image.");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw Refusal(StatusCodes.Status400BadRequest, $"The form cannot be read: {e.Message}");
        }
    }

    // Clients such as curl name a type for bodies that they know nothing of: application/x-www-form-urlencoded.
    private static string ImageType(string? type) =>
        type?.StartsWith("image/", StringComparison.OrdinalIgnoreCase) == true ? type : MediaTypeNames.Application.Octet;

    private static RequestException Refusal(int status, string message) => new(RequestReader.CompleteBody, status, message);
}
