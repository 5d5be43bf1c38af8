using System.Text.Json.Nodes;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>The form for a new run.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class NewRunTests(DashboardFixture stack)
{
    [BrowserFact]
    public Task A_run_starts_with_the_request_that_is_shown() => stack.VisitAsync("/new-run", async visit =>
    {
        const string Run = "from-the-form";
        var page = visit.Page;
        var dataset = page.GetByRole(AriaRole.Region, new() { Name = "Dataset" });
        await dataset.GetByLabel("repo", new() { Exact = true }).FillAsync(stack.Stack.Dataset);
        await dataset.GetByRole(AriaRole.Button, new() { Name = "Inspect the dataset" }).ClickAsync();
        await Expect(dataset.GetByRole(AriaRole.Table)).ToContainTextAsync("category3_code");
        await Expect(dataset.GetByLabel("columns: image")).ToHaveValueAsync("imageurl");
        await dataset.GetByRole(AriaRole.Button, new() { Name = "Add full_price_eur" }).ClickAsync();
        await dataset.GetByLabel("Unit").FillAsync("€");
        await Expect(dataset.GetByText("Full Price: {price}, FullPriceEur: {fullPriceEur} €")).ToBeVisibleAsync();
        await visit.AssertUsableAsync();
        await dataset.GetByRole(AriaRole.Button, new() { Name = "Remove full_price_eur" }).ClickAsync();
        await page.GetByRole(AriaRole.Region, new() { Name = "Base model" }).GetByLabel("repo", new() { Exact = true })
            .FillAsync(LocalStack.BaseModel);
        var training = page.GetByRole(AriaRole.Region, new() { Name = "Training" });
        await training.GetByLabel("epochs", new() { Exact = true }).FillAsync("1");
        await training.GetByLabel("learning rate", new() { Exact = true }).First.FillAsync("0.002");
        await page.GetByRole(AriaRole.Region, new() { Name = "Run", Exact = true }).GetByLabel("run", new() { Exact = true })
            .FillAsync(Run);
        var shown = await page.GetByRole(AriaRole.Region, new() { Name = "Request", Exact = true }).Locator("pre").InnerTextAsync();
        var command = await page.GetByRole(AriaRole.Region, new() { Name = "As a command" }).Locator("pre").InnerTextAsync();

        var sent = await page.RunAndWaitForRequestAsync(
            () => page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).ClickAsync(),
            request => request.Method == "POST" && request.Url.EndsWith("/api/runs", StringComparison.Ordinal));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(shown), JsonNode.Parse(sent.PostData!)), $"{shown}\n{sent.PostData}");
        Assert.Contains("curl", command, StringComparison.Ordinal);
        Assert.Equal(0.002, JsonNode.Parse(shown)!["training"]!["learningRate"]!.GetValue<double>());

        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = Run, Exact = true })).ToBeVisibleAsync();
        using var cancelled = await stack.Http.PostAsync($"api/runs/{Run}/cancel", null);
        cancelled.EnsureSuccessStatusCode();
    });

    [BrowserFact]
    public Task A_field_that_is_wrong_says_so() => stack.VisitAsync("/new-run", async visit =>
    {
        var page = visit.Page;
        await page.GetByRole(AriaRole.Region, new() { Name = "Dataset" }).GetByLabel("repo", new() { Exact = true })
            .FillAsync(stack.Stack.Dataset);
        var rate = page.GetByRole(AriaRole.Region, new() { Name = "Training" }).GetByLabel("learning rate", new() { Exact = true }).First;
        await rate.FillAsync("fast");
        visit.Answers.Add(400);
        await page.GetByRole(AriaRole.Button, new() { Name = "Start the run" }).ClickAsync();
        await Expect(rate).ToHaveAttributeAsync("aria-invalid", "true");
    });
}
