namespace FunctionsPipeline.Dashboard.Tests;
[Collection(nameof(DashboardCollection))]
public sealed class PastTests(DashboardFixture stack, LargeFixture large) : IClassFixture<LargeFixture>
{
    [BrowserFact]
    public async Task Past()
    {
        foreach (var run in (string[])[DashboardFixture.FirstRun, DashboardFixture.SecondRun, DashboardFixture.FailedRun])
        {
            var v = await stack.Client.GetRunAsync(run, default);
            Console.WriteLine($"{run} {v.RuntimeStatus} {v.CreatedAt:T} {v.LastUpdatedAt:T} {v.Error} {v.Outcome?.PublishDecision} {v.Outcome?.Result.Seconds}");
        }
        Console.WriteLine($"{large.Url} {large.Key}");
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("x-functions-key", large.Key);
        Console.WriteLine((await http.GetStringAsync(new Uri(large.Url, "api/predictions?top=2"))));
    }
}
