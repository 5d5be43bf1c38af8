using Azure;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Predictions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoints for the right answers to uploaded images, as people give them.</summary>
/// <remarks>A parameter with slashes must end its route, so that <c>/correction</c> is part of the parameter.</remarks>
public sealed class CorrectionEndpoints(CorrectionStore corrections, PredictionStore predictions, TimeProvider time)
{
    private const string Wanted = "a correction, such as {\"title\": \"Green Coat\", \"category\": \"Coats\", \"price\": 120}";
    private const double HighestNumber = 1e12;
    private const int MostFields = 30;
    private const int MostItems = 100;

    /// <summary>
    /// <c>PUT /api/predictions/{name}/correction</c>: stores the right answer to the image's current version. <c>If-Match</c> names the
    /// version that the person saw.
    /// </summary>
    [Function(nameof(PutCorrection))]
    public Task<IActionResult> PutCorrection(
        [HttpTrigger(AuthorizationLevel.Function, "put", Route = "predictions/{*name}")] HttpRequest request,
        string? name,
        CancellationToken cancellationToken) =>
        RespondAsync(name, async image =>
        {
            var wanted = await RequestReader.ReadAsync<CorrectionRequest>(request.Body, Wanted, cancellationToken);
            if (Check(wanted) is { Count: > 0 } errors) return Responses.Problem(errors);
            var seen = Conditions.Read(request).IfMatch;
            if (await UploadedVersion.ReadAsync(predictions.Image(image), cancellationToken) is not { } version)
                return Responses.NoImage(image);
            if (seen is { } tag && tag != ETag.All && tag != new ETag(version.ETag))
                return Responses.Problem(StatusCodes.Status412PreconditionFailed, "The image is not the version that If-Match names.");
            var correction = new Correction
            {
                Image = image,
                ETag = version.ETag,
                Title = wanted.Title,
                Category = wanted.Category,
                Price = wanted.Price,
                Fields = wanted.Fields,
                At = time.GetUtcNow(),
            };
            await corrections.WriteAsync(correction, cancellationToken);
            return Responses.Json(correction);
        });

    /// <summary><c>DELETE /api/predictions/{name}/correction</c>: withdraws the right answer to an image.</summary>
    [Function(nameof(DeleteCorrection))]
    public Task<IActionResult> DeleteCorrection(
        [HttpTrigger(AuthorizationLevel.Function, "delete", Route = "predictions/{*name}")] HttpRequest request,
        string? name,
        CancellationToken cancellationToken) =>
        RespondAsync(name, async image => await corrections.DeleteAsync(image, cancellationToken)
            ? new NoContentResult()
            : NoCorrection(image));

    /// <summary><c>GET /api/predictions/{name}/correction</c>: the right answer to an image.</summary>
    /// <remarks>No function of its own: it has the route of <see cref="PredictionEndpoints.GetPrediction"/>.</remarks>
    internal static Task<IActionResult> GetAsync(CorrectionStore corrections, string name, CancellationToken cancellationToken) =>
        RespondAsync(name, async image => await corrections.ReadAsync(image, cancellationToken) is { } correction
            ? Responses.Json(correction)
            : NoCorrection(image));

    private static async Task<IActionResult> RespondAsync(string? name, Func<string, Task<IActionResult>> respond)
    {
        try
        {
            return ImageName.ReadCorrection(name) is { } image
                ? await respond(image)
                : Responses.Problem(StatusCodes.Status404NotFound, "The URL of a correction is /api/predictions/{name}/correction.");
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
    }

    private static IReadOnlyList<FieldError> Check(CorrectionRequest correction)
    {
        if (correction is { Title: null, Category: null, Price: null, Fields: null or { Count: 0 } })
            return [new FieldError(RequestReader.CompleteBody, "A correction has at least one of title, category, price and fields.")];
        var errors = new ValidationErrors();
        if (correction.Title is { } title) errors.Text("title", title);
        if (correction.Category is { } category) errors.Text("category", category);
        if (correction.Price is { } price) errors.From("price", price, 0, HighestNumber);
        if (correction.Fields is { Count: > MostFields } many) errors.Add("fields", $"are {many.Count}, must be at most {MostFields}");
        foreach (var (name, value) in correction.Fields ?? new FieldValues([])) Check(name, value, errors);
        return errors.All;
    }

    // Kinds are those of the dataset that the correction is trained with, which is not known yet.
    private static void Check(string name, FieldValue value, ValidationErrors errors)
    {
        var field = $"fields.{name}";
        RequestRules.CheckFieldName(name, field, errors);
        if (value.Number is { } number) errors.From(field, number, 0, HighestNumber);
        if (value.Text is { } text) errors.Text(field, text);
        if (value.Items is not { } items) return;
        if (items.Count is 0 or > MostItems) errors.Add(field, $"has {items.Count} items, must have from 1 to {MostItems}");
        for (var i = 0; i < items.Count; i++)
        {
            errors.Text($"{field}[{i}]", items[i]);
            if (items[i].Contains(';', StringComparison.Ordinal))
                errors.Add($"{field}[{i}]", "must have no semicolon, which separates items");
        }
    }

    private static ContentResult NoCorrection(string image) =>
        Responses.Problem(StatusCodes.Status404NotFound, $"There is no correction of '{image}'.", "name");
}
