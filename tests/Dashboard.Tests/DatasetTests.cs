using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Datasets and their rows.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class DatasetTests(DashboardFixture stack)
{
    [BrowserFact]
    public Task Rows_are_shown_by_the_reason_of_their_rejection() => stack.VisitAsync("/datasets", async visit =>
    {
        var page = visit.Page;
        await page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Link, new() { Name = stack.Stack.Dataset }).First.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { Name = "Price" })).ToBeVisibleAsync();
        var rows = page.GetByRole(AriaRole.List, new() { Name = "Rows" }).GetByRole(AriaRole.Listitem);
        await page.GetByRole(AriaRole.Heading, new() { Name = "Rows", Exact = true }).ScrollIntoViewIfNeededAsync();
        await page.Mouse.WheelAsync(0, 500);
        await visit.AssertLoadedAsync(page.GetByRole(AriaRole.List, new() { Name = "Rows" }).Locator("img"));
        await visit.AssertUsableAsync();

        var counts = (await ReportAsync()).Counts;
        var (reason, count) = counts.RejectedBy.First();
        await page.GetByRole(AriaRole.Region, new() { Name = "Rejected because" }).GetByRole(AriaRole.Button, new() { Name = reason })
            .ClickAsync();
        await Expect(rows).ToHaveCountAsync((int)count);
        foreach (var row in await rows.AllAsync()) await Expect(row).ToContainTextAsync(reason);
        Assert.Contains($"reason={reason}", page.Url, StringComparison.Ordinal);
    });

    private async Task<IngestReport> ReportAsync() =>
        (await stack.Http.GetFromJsonAsync<RunView>($"api/runs/{DashboardFixture.FirstRun}", PipelineJson.Options))!.Outcome!.Dataset;
}
