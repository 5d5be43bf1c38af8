using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace FunctionsPipeline.Tests.LocalHost;

/// <summary>Speaks to a host of the tiny app over HTTP, as everyone else does.</summary>
public sealed class TinyAppClient(Uri address) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public HttpClient Http { get; } = new() { BaseAddress = address };

    /// <summary>Starts an orchestration and waits for its end.</summary>
    public async Task<Status> RunAsync(string orchestrator, object? input) => await EndAsync(await StartAsync(orchestrator, input));

    public async Task<Instance> StartAsync(string orchestrator, object? input, string? id = null)
    {
        using var answer = await Http.PostAsync($"tiny/orchestrations/{orchestrator}?id={id}", Json(input));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<Instance>())!;
    }

    public Task<Status> EndAsync(Instance instance) =>
        WaitAsync(instance, status => status.RuntimeStatus is not ("Pending" or "Running" or "Suspended"));

    /// <summary>Waits until an orchestration's status is as expected.</summary>
    public async Task<Status> WaitAsync(Instance instance, Func<Status, bool> expected)
    {
        Status? last = null;
        for (var started = Stopwatch.StartNew(); started.Elapsed < Patience; await Task.Delay(50))
        {
            using var answer = await Http.GetAsync(new Uri(instance.StatusQueryGetUri));
            if (answer.IsSuccessStatusCode && expected(last = (await answer.Content.ReadFromJsonAsync<Status>())!)) return last;
        }
        Assert.Fail($"{instance.Id} is {last}");
        return null!;
    }

    /// <summary>Starts a function by hand.</summary>
    public Task<HttpResponseMessage> StartByHandAsync(string function, string? input) =>
        Http.PostAsJsonAsync($"admin/functions/{function}", new { input });

    /// <summary>Waits until something holds, and fails when that takes too long.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        for (var started = Stopwatch.StartNew(); !await holds(); await Task.Delay(100))
            Assert.True(started.Elapsed < Patience, $"not within {Patience.TotalSeconds} s: {what}");
    }

    public static StringContent Json(object? value) => new(JsonSerializer.Serialize(value), Encoding.UTF8, "application/json");

    public void Dispose() => Http.Dispose();

    /// <summary>An orchestration that was started, with the URLs of its management API.</summary>
    public sealed record Instance(
        string Id, string StatusQueryGetUri, string SendEventPostUri, string TerminatePostUri, string PurgeHistoryDeleteUri,
        string SuspendPostUri, string ResumePostUri);

    /// <summary>An orchestration's status, as the management API tells it.</summary>
    public sealed record Status(string Name, string InstanceId, string RuntimeStatus, JsonElement? CustomStatus, JsonElement? Output)
    {
        public T Result<T>()
        {
            Assert.True(RuntimeStatus == "Completed", ToString());
            return Output!.Value.Deserialize<T>(JsonSerializerOptions.Web)!;
        }
    }
}
