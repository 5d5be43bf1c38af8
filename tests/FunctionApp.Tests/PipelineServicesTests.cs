using FunctionsPipeline.FunctionApp;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.Tests.FunctionApp;

public class PipelineServicesTests
{
    [Theory]
    [InlineData("Storage", null)]
    [InlineData("Worker:Url", null)]
    [InlineData("Worker:Url", "localhost:8080")]
    [InlineData("Worker:Timeout", "00:00:00")]
    [InlineData("GpuWorker:Command", " ")]
    [InlineData("GpuJobs:MaxRestarts", "-1")]
    [InlineData("GpuJobs:HeartbeatTimeout", "-00:00:01")]
    [InlineData("GpuJobs:LogFolder", " ")]
    [InlineData("HF_ENDPOINT", "huggingface.co")]
    public async Task A_missing_or_bad_setting_stops_the_start_and_is_named(string setting, string? value)
    {
        using var host = Build(setting, value);
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.StartsWith(setting, Assert.Single(failure.Failures), StringComparison.Ordinal);
    }

    private static IHost Build(string setting, string? value)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            // Nothing listens there; the settings are checked before anything is reached.
            ["Storage"] = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;",
            ["Worker:Url"] = "http://127.0.0.1:8080",
            ["GpuWorker:Command"] = "worker",
            [setting] = value,
        });
        builder.Services.AddPipeline(builder.Configuration);
        return builder.Build();
    }
}
