using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace FunctionsPipeline.LocalHost.Tests;

[Collection(TinyAppFixture.Name)]
public sealed class DurableTests(TinyAppFixture tiny)
{
    private TinyAppClient Client => tiny.Client;

    [Fact]
    public async Task An_activity_answers_its_orchestrator() =>
        Assert.Equal("Hello Ada", (await Client.RunAsync("Hello", "Ada")).Result<string>());

    [Fact]
    public async Task A_record_keeps_its_fields_on_the_way_to_an_activity_and_back()
    {
        // Dates keep their offsets, and numbers their kind.
        string[] labels = ["2026-11-28T09:30:00Z", "é"];
        var parcel = new { Name = "shirt", Weight = 0.25, Sent = "2026-11-28T09:30:00.123+02:00", Labels = labels };
        var end = await Client.RunAsync("Doubles", parcel);
        Assert.Equal("Completed", end.RuntimeStatus);
        var output = end.Output!.Value;
        Assert.Equal(0.5, output.GetProperty("Weight").GetDouble());
        Assert.Equal("2026-11-28T09:30:00.123+02:00", output.GetProperty("Sent").GetString());
        Assert.Equal(labels, output.GetProperty("Labels").Deserialize<string[]>());
    }

    [Fact]
    public async Task Activities_fan_out_and_their_results_come_together()
    {
        var processes = (await Client.RunAsync("FanOut", new { Activities = 30, Milliseconds = 10 })).Result<int[]>();
        Assert.Equal(Enumerable.Repeat(tiny.App.Host.WorkerProcessId, 30), processes);
    }

    [Fact]
    public async Task A_retry_policy_tries_an_activity_until_it_succeeds() =>
        Assert.Equal(3, (await Client.RunAsync("Retries", 2)).Result<int>());

    [Fact]
    public async Task A_retry_policy_gives_up()
    {
        var end = await Client.RunAsync("Retries", 10);
        Assert.Equal("Failed", end.RuntimeStatus);
        Assert.Contains("attempt 4 found nobody at home", end.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_reaches_the_orchestrator_with_type_and_message()
    {
        var failure = (await Client.RunAsync("Catches", "the parcel\nis lost")).Result<string[]>();
        Assert.Equal(["System.IO.InvalidDataException", "the parcel\nis lost", "System.FormatException", "a cause of its own"], failure);
    }

    [Fact]
    public async Task An_orchestration_fails_with_the_failure_of_its_activity()
    {
        var end = await Client.RunAsync("Fails", "the parcel is lost");
        Assert.Equal("Failed", end.RuntimeStatus);
        Assert.Contains("the parcel is lost", end.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sub_orchestrations_answer_their_parent()
    {
        var end = await Client.RunAsync("Parent", new[] { "Ada", "Bob" });
        Assert.Equal(["Hello Ada", "Hello Bob"], end.Result<string[]>());
    }

    [Fact]
    public async Task An_event_wakes_the_orchestration_that_waits_for_it()
    {
        var instance = await Client.StartAsync("Approval", 3600);
        var waiting = await Client.WaitAsync(instance, status => status.CustomStatus is not null);
        Assert.Equal("Approve", waiting.CustomStatus!.Value.GetProperty("WaitsFor").GetString());
        await PostAsync(instance.SendEventPostUri.Replace("{eventName}", "Approve", StringComparison.Ordinal), "Ada");
        Assert.Equal("approved by Ada", (await Client.EndAsync(instance)).Result<string>());
    }

    [Fact]
    public async Task An_event_that_does_not_come_times_out() =>
        Assert.Equal("nobody came", (await Client.RunAsync("Approval", 1)).Result<string>());

    [Fact]
    public async Task A_timer_wakes_its_orchestration() => Assert.InRange((await Client.RunAsync("Sleeps", 2)).Result<double>(), 1, 5);

    [Fact]
    public async Task An_orchestration_continues_as_new() =>
        Assert.Equal("Hello lift-off", (await Client.RunAsync("Countdown", 3)).Result<string>());

    [Fact]
    public async Task An_orchestration_is_suspended_and_resumed()
    {
        var instance = await Client.StartAsync("Approval", 3600);
        await PostAsync($"{instance.SuspendPostUri.Replace("{text}", "lunch", StringComparison.Ordinal)}", "");
        await Client.WaitAsync(instance, status => status.RuntimeStatus == "Suspended");
        await PostAsync(instance.SendEventPostUri.Replace("{eventName}", "Approve", StringComparison.Ordinal), "Bob");
        await PostAsync($"{instance.ResumePostUri.Replace("{text}", "back", StringComparison.Ordinal)}", "");
        Assert.Equal("approved by Bob", (await Client.EndAsync(instance)).Result<string>());
    }

    [Fact]
    public async Task An_orchestration_is_terminated_and_purged()
    {
        var instance = await Client.StartAsync("Approval", 3600);
        await Client.WaitAsync(instance, status => status.RuntimeStatus == "Running");
        await PostAsync(instance.TerminatePostUri.Replace("{text}", "enough", StringComparison.Ordinal), "");
        var end = await Client.EndAsync(instance);
        Assert.Equal("Terminated", end.RuntimeStatus);
        Assert.Equal("enough", end.Output!.Value.GetString());

        using var purged = await Client.Http.DeleteAsync(new Uri(instance.PurgeHistoryDeleteUri));
        Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
        using var gone = await Client.Http.GetAsync(new Uri(instance.StatusQueryGetUri));
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task An_entity_counts_for_its_orchestration() =>
        Assert.Equal(42, (await Client.RunAsync("Adds", new[] { 30, 7, 5 })).Result<int>());

    [Fact]
    public async Task An_entity_is_signalled_and_read()
    {
        foreach (var amount in (int[])[1, 20, 300])
        {
            using var answer = await Client.Http.PostAsync($"tiny/counters/visitors?add={amount}", null);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }
        await TinyAppClient.UntilAsync(
            async () =>
            {
                using var answer = await Client.Http.GetAsync("tiny/counters/visitors");
                return answer.IsSuccessStatusCode && await answer.Content.ReadAsStringAsync() == "321";
            },
            "a count of 321");
    }

    [Fact]
    public async Task A_trace_goes_from_the_caller_through_the_orchestration_to_its_activity()
    {
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        using var request = new HttpRequestMessage(HttpMethod.Post, "tiny/orchestrations/Traces") { Content = TinyAppClient.Json("x") };
        request.Headers.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
        using var answer = await Client.Http.SendAsync(request);
        Assert.Contains(trace, answer.Headers.GetValues("x-trace").Single(), StringComparison.Ordinal);
        var instance = (await answer.Content.ReadFromJsonAsync<TinyAppClient.Instance>())!;
        var activity = (await Client.EndAsync(instance)).Result<string[]>();
        // It ends with 01, for "recorded", as the caller's does: a worker that samples by its parent would drop it otherwise.
        Assert.Matches($"^00-{trace}-[0-9a-f]{{16}}-01$", activity[0]);
        Assert.Contains(trace, activity[1], StringComparison.Ordinal);
    }

    private async Task PostAsync(string url, object body)
    {
        using var answer = await Client.Http.PostAsync(new Uri(url), TinyAppClient.Json(body));
        Assert.True(answer.IsSuccessStatusCode, $"{url}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }
}
