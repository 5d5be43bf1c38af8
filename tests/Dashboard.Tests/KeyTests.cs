using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>A host that asks for a key, and whose storage holds much.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class KeyTests(DashboardFixture stack, LargeFixture large) : IClassFixture<LargeFixture>
{
    [BrowserFact]
    public Task The_key_is_asked_for_once_and_is_in_no_url() =>
        VisitAsync("/uploads", async visit =>
        {
            var page = visit.Page;
            await GiveKeyAsync(visit, "guessed");
            await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("does not accept the key");
            await visit.AssertUsableAsync();
            await GiveKeyAsync(visit, large.Key);
            await Expect(page.GetByRole(AriaRole.List, new() { Name = "Answered" })).ToBeVisibleAsync();
            await Expect(page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);

            // Kept for the tab, through a reload, and for no other.
            await page.ReloadAsync();
            await Expect(page.GetByRole(AriaRole.List, new() { Name = "Answered" })).ToBeVisibleAsync();
            await Expect(page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
            Assert.Contains(large.Key, await page.EvaluateAsync<string>("JSON.stringify(sessionStorage)"), StringComparison.Ordinal);
            Assert.DoesNotContain(
                large.Key, await page.EvaluateAsync<string>("JSON.stringify(localStorage) + document.cookie"), StringComparison.Ordinal);
            Assert.DoesNotContain(visit.Responses, response => response.Url.Contains(large.Key, StringComparison.Ordinal));
        });

    [BrowserFact]
    public Task Five_thousand_uploads_are_as_light_as_fifty() =>
        VisitAsync("/uploads", async visit =>
        {
            var page = visit.Page;
            await GiveKeyAsync(visit, large.Key);
            await Expect(page.GetByRole(AriaRole.Tab, new() { Name = "Failed" })).ToContainTextAsync($"{LargeFixture.FailedUploads}");
            await Expect(page.GetByRole(AriaRole.List, new() { Name = "Answered" })).ToBeVisibleAsync();
            await visit.AssertLightAsync();
        });

    [BrowserFact]
    public Task A_hundred_thousand_rows_are_as_light_as_a_hundred() =>
        VisitAsync($"/datasets/large/catalog/{LargeFixture.Dataset.Commit}/{LargeFixture.Dataset.View}", async visit =>
        {
            var page = visit.Page;
            await GiveKeyAsync(visit, large.Key);
            await Expect(page.GetByText("not-found").First).ToBeVisibleAsync();
            await visit.AssertLightAsync();
        });

    private Task VisitAsync(string place, Func<Visit, Task> look) => Visit.ToAsync(stack.Browser, large.Url, place, look);

    private static async Task GiveKeyAsync(Visit visit, string key)
    {
        // Until the key is known.
        visit.Answers.Add(401);
        var dialog = visit.Page.GetByRole(AriaRole.Dialog);
        await dialog.GetByLabel("Function key").FillAsync(key);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Use the key" }).ClickAsync();
    }
}
