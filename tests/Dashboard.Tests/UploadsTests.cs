using System.Net.Http.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Uploads: by status, one of them, and new ones.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class UploadsTests(DashboardFixture stack)
{
    [BrowserFact]
    public Task Tabs_show_uploads_by_their_status() => stack.VisitAsync("/uploads", async visit =>
    {
        var page = visit.Page;
        await Expect(Row(page, "new/")).Not.ToHaveCountAsync(0);
        await visit.AssertLoadedAsync(page.GetByRole(AriaRole.Main).Locator("img"));
        await SelectAsync(page, "Rejected");
        await Expect(Row(page, "new/readme.jpg")).ToContainTextAsync("not-an-image");
        await SelectAsync(page, "Failed");
        await Expect(Row(page, $"{DashboardFixture.EarlyUploads}/").First).ToContainTextAsync("out-of-patience");
    });

    [BrowserFact]
    public Task A_failed_reading_can_be_retried_and_brings_an_answer() => stack.VisitAsync("/uploads?show=failed", async visit =>
    {
        var page = visit.Page;
        await Row(page, $"{DashboardFixture.EarlyUploads}/{stack.Images[0].File}").ClickAsync();
        await Expect(page.GetByText("The reading failed")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Read again" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Answer" })).ToContainTextAsync("Product:");
        var document = await DocumentAsync($"{DashboardFixture.EarlyUploads}/{stack.Images[0].File}");
        Assert.Equal(PredictionStatus.Predicted, document.Status);
    });

    [BrowserFact]
    public async Task An_answer_can_be_corrected()
    {
        var name = $"new/{stack.Images[2].File}";
        await stack.VisitAsync($"/uploads/{Uri.EscapeDataString(name)}", async visit =>
        {
            var page = visit.Page;
            var document = await DocumentAsync(name);
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Answer", Exact = true })).ToContainTextAsync(document.Answer!);
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Details" })).ToContainTextAsync(DashboardFixture.FirstRun);
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "History" })).ToContainTextAsync("AskWorker");
            await visit.AssertLoadedAsync(page.GetByRole(AriaRole.Img, new() { Name = name }));

            await page.GetByRole(AriaRole.Button, new() { Name = "Correct the answer" }).ClickAsync();
            await page.GetByLabel("Title").FillAsync("Green Coat");
            await page.GetByLabel("Price").FillAsync("-1");
            await page.GetByRole(AriaRole.Button, new() { Name = "Store the correction" }).ClickAsync();
            // The browser does not send a price below zero.
            await page.GetByLabel("Price").FillAsync("120");
            await page.GetByRole(AriaRole.Button, new() { Name = "Store the correction" }).ClickAsync();
            await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Correction" })).ToContainTextAsync("Green Coat");
            var correction = await stack.Http.GetFromJsonAsync<Correction>($"api/predictions/{name}/correction", PipelineJson.Options);
            Assert.Equal(("Green Coat", 120, document.ETag), (correction!.Title, correction.Price, correction.ETag));
            await visit.AssertUsableAsync();
        });
    }

    [BrowserFact]
    public Task A_dropped_image_is_answered_word_by_word() => stack.VisitAsync("/runs", async visit =>
    {
        var page = visit.Page;
        await DropAsync(page, stack.Images[3]);
        var dialog = page.GetByRole(AriaRole.Dialog);
        // The texts that are shown before the answer is complete.
        await page.EvaluateAsync("""
            () => {
                window.texts = [];
                new MutationObserver(() => {
                    const text = document.querySelector('dialog [aria-busy="true"]')?.innerText;
                    if (text && text !== window.texts.at(-1)) window.texts.push(text);
                }).observe(document.body, { childList: true, characterData: true, subtree: true });
            }
            """);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Ask the model" }).ClickAsync();
        await Expect(dialog.GetByRole(AriaRole.Status)).ToContainTextAsync("Confidence");
        var texts = await page.EvaluateAsync<string[]>("window.texts");
        Assert.True(texts.Length > 2, string.Join(" | ", texts));
        Assert.All(texts.Zip(texts.Skip(1)), pair => Assert.StartsWith(pair.First.TrimEnd(), pair.Second, StringComparison.Ordinal));
        await visit.AssertUsableAsync();
    });

    [BrowserFact]
    public Task A_dropped_image_can_be_uploaded() => stack.VisitAsync("/uploads", async visit =>
    {
        const string Name = "dropped/shirt.jpg";
        var page = visit.Page;
        await DropAsync(page, stack.Images[4]);
        var dialog = page.GetByRole(AriaRole.Dialog);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Upload it" }).ClickAsync();
        await dialog.GetByLabel("Name").FillAsync(Name);
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Upload", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = Name })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Region, new() { Name = "Answer", Exact = true }))
            .ToContainTextAsync("Product:");
        Assert.Equal(PredictionStatus.Predicted, (await DocumentAsync(Name)).Status);
    });

    [BrowserFact]
    public async Task An_image_waits_while_the_worker_hangs_and_is_answered_when_it_is_back()
    {
        const string Name = "waiting/bag.jpg";
        var worker = await StackProcesses.FindAsync(stack.Stack.Options.StateFolder, "GpuWorker", "serve", CancellationToken.None);
        worker.Suspend();
        try
        {
            await using (var file = File.OpenRead(stack.PathOf(stack.Images[5])))
                await stack.Client.UploadAsync(Name, file, CancellationToken.None);
            await stack.VisitAsync("/uploads?show=waiting", async visit =>
            {
                var page = visit.Page;
                await Expect(Row(page, Name)).ToBeVisibleAsync();
                worker.Resume();
                await Expect(Row(page, Name)).ToHaveCountAsync(0);
                await SelectAsync(page, "Answered");
                await Expect(Row(page, Name)).ToBeVisibleAsync();
            });
        }
        finally
        {
            worker.Resume();
        }
    }

    [BrowserFact]
    public Task The_keyboard_is_enough_to_open_an_upload_and_read_it_again() => stack.VisitAsync("/uploads", async visit =>
    {
        var page = visit.Page;
        await Expect(Row(page, "new/readme.jpg")).ToHaveCountAsync(0);
        await TabToAsync(page, "Skip to the content");
        await page.Keyboard.PressAsync("Enter");
        await TabToAsync(page, "Answered");
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Keyboard.PressAsync("ArrowRight");
        await TabToAsync(page, "new/readme.jpg");
        await page.Keyboard.PressAsync("Enter");
        // The heading has the focus, so that a screen reader says where it is.
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "new/readme.jpg" })).ToBeFocusedAsync();
        await TabToAsync(page, "Read again");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByText("The image is being read again.")).ToBeVisibleAsync();
    });

    private static ILocator Row(IPage page, string name) =>
        page.GetByRole(AriaRole.Tabpanel).GetByRole(AriaRole.Link).Filter(new() { HasText = name });

    private static Task SelectAsync(IPage page, string tab) => page.GetByRole(AriaRole.Tab, new() { Name = tab }).ClickAsync();

    private async Task<PredictionDocument> DocumentAsync(string name) =>
        (await stack.Http.GetFromJsonAsync<PredictionDocument>($"api/predictions/{name}", PipelineJson.Options))!;

    // Files of the machine cannot be dragged into a browser without a screen.
    private async Task DropAsync(IPage page, HeldOutImage image)
    {
        const string Drop = """
            ([name, content]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, { type: 'image/jpeg' }));
                const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
                for (const type of ['dragenter', 'dragover', 'drop'])
                    document.querySelector('main').dispatchEvent(new DragEvent(type, options));
            }
            """;
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
        await page.EvaluateAsync(Drop, new[] { image.File, Convert.ToBase64String(await File.ReadAllBytesAsync(stack.PathOf(image))) });
    }

    private static async Task TabToAsync(IPage page, string text)
    {
        for (var i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            // The body has the focus at the page's end, and all texts.
            if (await page.EvaluateAsync<string>("document.activeElement === document.body ? '' : document.activeElement.innerText ?? ''")
                    is { } focused
                && focused.Contains(text, StringComparison.Ordinal))
            {
                return;
            }
        }
        Assert.Fail($"The tab key does not come to '{text}'.");
    }
}
