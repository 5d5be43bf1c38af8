using System.Globalization;
using System.Net;
using System.Text;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Writes the gallery after a step as a web page with everything in it, since tools show artifacts one at a time. Thumbnails are made once:
/// the images are the same at every step, and a page is written again when its upload fails.
/// </summary>
/// <param name="run">Id of the run.</param>
internal sealed class GalleryPage(string run)
{
    // In pixels: the longer side of images.
    private const int ImageSide = 256;

    private const string Head = """
        <!DOCTYPE html>
        <html lang="en">
        <meta charset="utf-8">
        <style>
        body { font: 15px sans-serif; margin: 24px; }
        td, th { text-align: left; vertical-align: top; padding: 8px 16px 8px 0; }
        </style>
        """;

    // JPEG files in base64, by the names of the images.
    private readonly Dictionary<string, string> _thumbnails = new(StringComparer.Ordinal);

    /// <summary>Writes the page of a step.</summary>
    public string Write(GalleryStep gallery)
    {
        var title = $"{WebUtility.HtmlEncode(run)}, step {gallery.Step}";
        var page = new StringBuilder($"{Head}\n<title>{title}</title>\n<h1>{title}</h1>\n<table>\n");
        page.Append("<tr><th>image</th><th>truth</th><th>answer</th><th>confidence</th></tr>\n");
        foreach (var sample in gallery.Samples)
        {
            if (!_thumbnails.TryGetValue(sample.Image, out var image))
                _thumbnails[sample.Image] = image = Convert.ToBase64String(Thumbnail.Of(sample.Content, ImageSide).Content);
            var confidence = sample.Confidence.Answer.ToString("0.00", CultureInfo.InvariantCulture);
            page.Append($"<tr><td><img alt=\"{WebUtility.HtmlEncode(sample.Image)}\" src=\"data:image/jpeg;base64,{image}\"></td>");
            page.Append($"<td>{WebUtility.HtmlEncode(sample.Truth)}</td><td>{WebUtility.HtmlEncode(sample.Answer)}</td>");
            page.Append($"<td>{confidence}</td></tr>\n");
        }
        return page.Append("</table>\n</html>\n").ToString();
    }
}
