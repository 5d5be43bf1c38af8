using System.Globalization;
using System.Net;
using System.Text;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>The gallery after a step as a web page with everything in it, since tools show artifacts one at a time.</summary>
internal static class GalleryPage
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

    /// <summary>Writes the page.</summary>
    /// <param name="run">Id of the run.</param>
    public static string Write(string run, GalleryStep gallery)
    {
        var title = $"{WebUtility.HtmlEncode(run)}, step {gallery.Step}";
        var page = new StringBuilder($"{Head}\n<title>{title}</title>\n<h1>{title}</h1>\n<table>\n");
        page.Append("<tr><th>image</th><th>truth</th><th>answer</th><th>confidence</th></tr>\n");
        foreach (var sample in gallery.Samples)
        {
            var image = Convert.ToBase64String(Thumbnail.Of(sample.Content, ImageSide).Content);
            var confidence = sample.Confidence.Answer.ToString("0.00", CultureInfo.InvariantCulture);
            page.Append($"<tr><td><img alt=\"{WebUtility.HtmlEncode(sample.Image)}\" src=\"data:image/jpeg;base64,{image}\"></td>");
            page.Append($"<td>{WebUtility.HtmlEncode(sample.Truth)}</td><td>{WebUtility.HtmlEncode(sample.Answer)}</td>");
            page.Append($"<td>{confidence}</td></tr>\n");
        }
        return page.Append("</table>\n</html>\n").ToString();
    }
}
