using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Lists of runs and models, the comparison of runs, and how the page asks for what it shows.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class ListTests(DashboardFixture stack)
{
    [BrowserFact]
    public Task Two_runs_are_compared() => stack.VisitAsync("/runs", async visit =>
    {
        var page = visit.Page;
        var row = page.GetByRole(AriaRole.Row).Filter(new() { HasText = DashboardFixture.FailedRun });
        await Expect(row).ToContainTextAsync("failed");
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = DashboardFixture.SecondRun })).ToContainTextAsync("majority");
        foreach (var run in (string[])[DashboardFixture.FirstRun, DashboardFixture.SecondRun])
            await page.GetByRole(AriaRole.Checkbox, new() { Name = $"Compare {run}", Exact = true }).CheckAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Compare 2 runs" }).ClickAsync();

        var settings = page.GetByRole(AriaRole.Region, new() { Name = "Settings that differ", Exact = true });
        await Expect(settings.GetByRole(AriaRole.Row).Filter(new() { HasText = "training.method" })).ToContainTextAsync("lora");
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Metrics", Exact = true })).ToContainTextAsync("best");
        await visit.AssertDrawnAsync(page.Locator("canvas"));
    });

    [BrowserFact]
    public Task Another_model_is_activated_and_the_first_one_again() => stack.VisitAsync("/models", async visit =>
    {
        var page = visit.Page;
        foreach (var version in (string[])[DashboardFixture.SecondRun, DashboardFixture.FirstRun])
        {
            await page.GetByRole(AriaRole.Table).GetByRole(AriaRole.Link, new() { Name = version, Exact = true }).ClickAsync();
            var dialog = page.GetByRole(AriaRole.Dialog);
            await dialog.GetByRole(AriaRole.Button, new() { Name = "Activate" }).ClickAsync();
            await dialog.GetByLabel($"Why should {version} serve?").FillAsync("to see it");
            await dialog.GetByRole(AriaRole.Button, new() { Name = "Activate", Exact = true }).ClickAsync();
            await Expect(page.GetByText($"{version} serves now")).ToBeVisibleAsync();
            await page.Keyboard.PressAsync("Escape");
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Serving model", Exact = true })).ToContainTextAsync("to see it");
            var current = await stack.Http.GetFromJsonAsync<CurrentModel>("api/models/current", PipelineJson.Options);
            Assert.Equal((version, "to see it"), (current!.Version, current.Reason));
        }
    });

    [BrowserFact]
    public Task A_list_that_has_not_changed_is_not_sent_again_and_a_hidden_tab_asks_for_nothing() =>
        stack.VisitAsync("/uploads", async visit =>
        {
            var page = visit.Page;
            await page.Clock.InstallAsync();
            await page.ReloadAsync();
            await page.WaitForResponseAsync(
                response => response.Url.Contains("/api/predictions?", StringComparison.Ordinal) && response.Status == 304,
                new() { Timeout = 30_000 });
            // A tab behind another one: headless browsers show all of theirs.
            await page.EvaluateAsync("""
                () => {
                    Object.defineProperty(document, 'hidden', { value: true });
                    document.dispatchEvent(new Event('visibilitychange'));
                }
                """);
            // What was asked before is answered.
            await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            var before = visit.Responses.Count;
            await page.Clock.FastForwardAsync("05:00");
            await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            Assert.Equal(before, visit.Responses.Count);
        });
}
