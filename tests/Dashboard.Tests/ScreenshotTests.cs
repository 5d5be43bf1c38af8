using Microsoft.Playwright;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Processing.Processors.Quantization;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Draws the pictures of <c>docs/images</c>; without <c>PIPELINE_SCREENSHOTS</c> one that nobody keeps.</summary>
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
        const string Run = "/runs/" + DashboardFixture.FirstRun;
        var upload = Uri.EscapeDataString($"new/{stack.Images[^1].File}");
        await DrawAsync("uploads", "/uploads", LoadedImage);
        // The other tests look at the other views.
        if (DashboardFixture.Screenshots is null) return;
        await DrawAsync("upload", $"/uploads/{upload}", LoadedImage);
        await DrawAsync("run", Run, Chart);
        await DrawAsync("run-dark", Run, Chart, ColorScheme.Dark);
        await DrawAsync("run-phone", Run, Chart, width: 390);
        await DrawAsync("gallery", $"{Run}/gallery", LoadedImage);
        await DrawAsync(
            "errors", $"{Run}/errors", page => page.GetByRole(AriaRole.Region, new() { Name = "Confusion matrix" }).WaitForAsync());
        await DrawAsync("compare", $"/compare?runs={DashboardFixture.FirstRun},{DashboardFixture.SecondRun}", Chart);
        await DrawAsync("timeline", $"{Run}/timeline", page => page.GetByText("PublishModel").First.WaitForAsync());
        await DrawAsync("new-run", "/new-run", async page =>
        {
            var dataset = page.GetByRole(AriaRole.Region, new() { Name = "Dataset" });
            await dataset.GetByLabel("repo", new() { Exact = true }).FillAsync(stack.Stack.Dataset);
            await dataset.GetByRole(AriaRole.Button, new() { Name = "Inspect the dataset" }).ClickAsync();
            await dataset.GetByRole(AriaRole.Table).WaitForAsync();
        });
    }

    private static Task LoadedImage(IPage page) => page.GetByRole(AriaRole.Main).Locator("img[src]").First.WaitForAsync();

    private static Task Chart(IPage page) => page.Locator("canvas").First.WaitForAsync();

    private Task DrawAsync(
        string name, string place, Func<IPage, Task> show, ColorScheme theme = ColorScheme.Light, int width = 1280) =>
        stack.VisitAsync(place, async visit =>
        {
            var page = visit.Page;
            await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = theme });
            await page.SetViewportSizeAsync(width, 860);
            await show(page);
            await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            var screen = await page.ScreenshotAsync(new PageScreenshotOptions { Animations = ScreenshotAnimations.Disabled });
            using var picture = Image.Load(screen);
            using var file = new MemoryStream();
            await picture.SaveAsync(file, Encoder);
            Assert.InRange(file.Length, 1, MostBytes);
            if (DashboardFixture.Screenshots is not { } folder) return;
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.png"), file.ToArray());
        });
}
