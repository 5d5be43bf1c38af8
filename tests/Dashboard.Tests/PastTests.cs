namespace FunctionsPipeline.Dashboard.Tests;
[Collection(nameof(DashboardCollection))]
public sealed class PastTests(DashboardFixture stack)
{
    [BrowserFact]
    public async Task Past()
    {
        foreach (var run in (string[])[DashboardFixture.FirstRun, DashboardFixture.SecondRun, DashboardFixture.FailedRun])
        {
            var v = await stack.Client.GetRunAsync(run, default);
            Console.WriteLine($"{run} {v.RuntimeStatus} {v.CreatedAt:T} {v.LastUpdatedAt:T} {v.Error} {v.Outcome?.PublishDecision} {v.Outcome?.Result.Seconds}");
            Console.WriteLine(System.Text.Json.JsonSerializer.Serialize(v.Outcome?.Result.FineTuned));
        }
        Console.WriteLine(await stack.Http.GetStringAsync("api/predictions"));
        Console.WriteLine(await stack.Http.GetStringAsync("api/predictions?status=waiting"));
    }
}
