using Microsoft.Playwright;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Processing.Processors.Quantization;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Draws the pictures of <c>docs/images</c>; without <c>PIPELINE_SCREENSHOTS</c> others that nobody keeps.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class ScreenshotTests(DashboardFixture stack)
{
    private const int MostBytes = 200_000;

    private static readonly PngEncoder Encoder = new()
    {
        ColorType = PngColorType.Palette,
        CompressionLevel = PngCompressionLevel.BestCompression,
        // Dithering makes flat colours large.
        Quantizer = new WuQuantizer(new QuantizerOptions { Dither = null }),
    };

    [BrowserFact]
    public async Task Every_view_has_its_picture()
    {
        await DrawAsync("run", $"/runs/{DashboardFixture.FirstRun}", page => page.Locator("canvas").First);
        await DrawAsync("run-dark", $"/runs/{DashboardFixture.FirstRun}", page => page.Locator("canvas").First, ColorScheme.Dark);
        await DrawAsync("run-phone", $"/runs/{DashboardFixture.FirstRun}", page => page.Locator("canvas").First, width: 390);
        await DrawAsync("gallery", $"/runs/{DashboardFixture.FirstRun}/gallery", page => page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Img).First);
        await DrawAsync("errors", $"/runs/{DashboardFixture.FirstRun}/errors", page => page.GetByRole(AriaRole.Region, new() { Name = "Confusion matrix" }));
        await DrawAsync("timeline", $"/runs/{DashboardFixture.FirstRun}/timeline", page => page.GetByText("PublishModel").First);
    }

    private Task DrawAsync(
        string name, string place, Func<IPage, ILocator> shown, ColorScheme theme = ColorScheme.Light, int width = 1280) =>
        stack.VisitAsync(place, async visit =>
        {
            var page = visit.Page;
            await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = theme });
            await page.SetViewportSizeAsync(width, width < 800 ? 844 : 860);
            await shown(page).WaitForAsync();
            await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            using var picture = Image.Load(await page.ScreenshotAsync(new PageScreenshotOptions { Animations = ScreenshotAnimations.Disabled }));
            using var file = new MemoryStream();
            await picture.SaveAsync(file, Encoder);
            Assert.InRange(file.Length, 1, MostBytes);
            if (DashboardFixture.Screenshots is not { } folder) return;
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.png"), file.ToArray());
        });
}
