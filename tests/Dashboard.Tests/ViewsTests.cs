using static Microsoft.Playwright.Assertions;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>Every view, for everybody: with a screen reader, in the dark, on a phone.</summary>
[Collection(nameof(DashboardCollection))]
public sealed class ViewsTests(DashboardFixture stack)
{
    [BrowserTheory]
    [InlineData("/uploads", "answered")]
    [InlineData("/models", DashboardFixture.SecondRun)]
    [InlineData("/runs", DashboardFixture.SecondRun)]
    [InlineData("/runs/" + DashboardFixture.FirstRun, "it is the first model")]
    [InlineData("/runs/" + DashboardFixture.FailedRun, "The run failed")]
    [InlineData("/runs/" + DashboardFixture.FirstRun + "/gallery", "Truth")]
    [InlineData("/runs/" + DashboardFixture.FirstRun + "/errors", "The fifty worst")]
    [InlineData("/runs/" + DashboardFixture.FirstRun + "/timeline", "PublishModel")]
    [InlineData("/compare?runs=" + DashboardFixture.FirstRun + "," + DashboardFixture.SecondRun, "training.method")]
    [InlineData("/new-run", "Dataset")]
    [InlineData("/datasets", "samples/garments")]
    [InlineData("/nowhere", "no view")]
    public Task A_view_can_be_used_by_everybody(string place, string text) => stack.VisitAsync(place, async visit =>
    {
        await Expect(visit.Page.GetByText(text).First).ToBeVisibleAsync();
        await visit.AssertUsableAsync();
    });
}
