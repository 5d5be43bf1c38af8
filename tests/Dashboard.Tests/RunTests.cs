using System.Text.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>The views of one run: training, gallery, errors, timeline.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class RunTests(DashboardFixture stack)
{
    [BrowserFact]
    public Task A_run_that_has_ended_shows_its_phases_curves_and_result() =>
        stack.VisitAsync($"/runs/{DashboardFixture.FirstRun}", async visit =>
        {
            var page = visit.Page;
            await Expect(page.GetByRole(AriaRole.Heading, new() { Name = DashboardFixture.FirstRun })).ToBeVisibleAsync();
            var phases = page.GetByRole(AriaRole.List, new() { Name = "Phases" }).GetByRole(AriaRole.Listitem);
            await Expect(phases).ToHaveCountAsync(6);
            foreach (var phase in await phases.AllAsync()) await Expect(phase).ToContainTextAsync(", done");
            await visit.AssertDrawnAsync(page.Locator("canvas"));
            await Expect(page.GetByRole(AriaRole.Img, new() { Name = "Loss" })).ToBeVisibleAsync();
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Result" })).ToContainTextAsync("it is the first model");
        });

    [BrowserFact]
    public Task A_failed_run_says_why_and_what_to_do() =>
        stack.VisitAsync($"/runs/{DashboardFixture.FailedRun}", async visit =>
        {
            var alert = visit.Page.GetByRole(AriaRole.Alert);
            await Expect(alert).ToContainTextAsync("Every training sample is longer than 10 tokens");
            await Expect(alert).ToContainTextAsync("raise training.maxTokens");
            await alert.GetByRole(AriaRole.Link, new() { Name = "timeline" }).ClickAsync();
            await Expect(visit.Page.GetByText("StartGpuJob").First).ToBeVisibleAsync();
            await Expect(visit.Page.GetByText("Every training sample is longer")).ToBeVisibleAsync();
        });

    [BrowserFact]
    public async Task A_run_in_progress_moves_and_can_be_cancelled()
    {
        const string Run = "running";
        var request = stack.Request(Run);
        await stack.Client.StartRunAsync(
            request with { Training = request.Training with { MaxSteps = 5000, Epochs = 1000, EvaluationSamples = 1, GallerySamples = 0 } },
            CancellationToken.None);
        await stack.VisitAsync($"/runs/{Run}", async visit =>
        {
            var page = visit.Page;
            var phases = page.GetByRole(AriaRole.List, new() { Name = "Phases" });
            var training = phases.GetByRole(AriaRole.Listitem).Filter(new() { HasText = "training, in progress" });
            await Expect(training).ToContainTextAsync(" of 5,000", new() { Timeout = 60_000 });
            await Expect(training).ToContainTextAsync("images/s", new() { Timeout = 60_000 });
            await visit.AssertDrawnAsync(page.Locator("canvas"));

            await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the run" }).ClickAsync();
            await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Cancel the run" }).ClickAsync();
            await Expect(page.GetByText("This run was cancelled")).ToBeVisibleAsync(new() { Timeout = 30_000 });
            Assert.Equal("Terminated", (await stack.Client.GetRunAsync(Run, CancellationToken.None)).RuntimeStatus);
        });
    }

    [BrowserFact]
    public Task The_slider_of_the_gallery_goes_from_the_base_model_to_the_last_step() =>
        stack.VisitAsync($"/runs/{DashboardFixture.FirstRun}/gallery", async visit =>
        {
            var slider = visit.Page.GetByRole(AriaRole.Slider, new() { Name = "Step" });
            await Expect(slider).ToHaveAttributeAsync("aria-valuetext", $"step {DashboardFixture.Steps}");
            await visit.AssertLoadedAsync(visit.Page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Img));
            var cards = visit.Page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Listitem).Filter(new() { HasText = "Truth" });
            var last = await cards.AllInnerTextsAsync();
            Assert.All(last, card => Assert.Contains("Confidence", card, StringComparison.Ordinal));

            await slider.PressAsync("Home");
            await Expect(visit.Page.GetByText("base model").First).ToBeVisibleAsync();
            var first = await cards.AllInnerTextsAsync();
            Assert.Equal(last.Count, first.Count);
            Assert.All(first.Zip(last), cards => Assert.NotEqual(cards.First, cards.Second));
        });

    [BrowserFact]
    public Task A_cell_of_the_confusion_table_opens_its_images() =>
        stack.VisitAsync($"/runs/{DashboardFixture.FirstRun}/errors", async visit =>
        {
            var page = visit.Page;
            var cell = page.GetByRole(AriaRole.Region, new() { Name = "Confusion matrix" }).GetByRole(AriaRole.Button).First;
            var count = int.Parse(await cell.InnerTextAsync(), System.Globalization.CultureInfo.InvariantCulture);
            await cell.ClickAsync();
            var dialog = page.GetByRole(AriaRole.Dialog);
            await Expect(dialog).ToContainTextAsync("answered as");
            var images = dialog.GetByRole(AriaRole.Img);
            await Expect(images).ToHaveCountAsync(count);
            await visit.AssertLoadedAsync(images);
            await page.Keyboard.PressAsync("Escape");
            await Expect(dialog).ToBeHiddenAsync();
            await page.GetByRole(AriaRole.Group, new() { Name = "Field" }).GetByLabel("Price").CheckAsync();
            await visit.AssertDrawnAsync(page.Locator("canvas"));
        });

    [BrowserFact]
    public Task The_timeline_shows_activities_and_opens_sub_orchestrations() =>
        stack.VisitAsync($"/runs/{DashboardFixture.FirstRun}/timeline", async visit =>
        {
            var page = visit.Page;
            await Expect(page.GetByText("PublishModel").First).ToBeVisibleAsync();
            await page.GetByRole(AriaRole.Button, new() { Name = "IngestDataset" }).ClickAsync();
            await Expect(page.GetByText("BuildCatalog").First).ToBeVisibleAsync();
        });

    [BrowserFact]
    public async Task Ten_thousand_steps_are_as_light_as_forty()
    {
        const string Run = "long";
        const int Steps = 10_000;
        await stack.StartCancelledRunAsync(Run);
        var lines = Enumerable.Range(1, Steps).Select(step => new MetricsLine
        {
            Step = step,
            Epoch = step / 100.0,
            Seconds = step,
            Loss = 6 / Math.Sqrt(step) + 0.2 * Math.Abs(Math.Sin(step)),
            LearningRate = 1e-3 * (1 - step / (double)Steps),
            GradNorm = 1 + Math.Abs(Math.Sin(step)),
            ImagesPerSecond = 20,
            TokensPerSecond = 7000,
            ResidentBytes = 1 << 30,
        });
        var text = string.Concat(lines.Select(line => JsonSerializer.Serialize(line, PipelineJson.Compact) + "\n"));
        await stack.Blobs.GetBlobContainerClient(Containers.Runs).GetBlobClient(new RunBlobs(Run).Metrics)
            .UploadAsync(BinaryData.FromString(text), overwrite: true);

        await stack.VisitAsync($"/runs/{Run}", async visit =>
        {
            await Expect(visit.Page.GetByText("last 10,000").First).ToBeVisibleAsync();
            await visit.AssertDrawnAsync(visit.Page.Locator("canvas"));
            await visit.AssertLightAsync();
        });
    }
}
