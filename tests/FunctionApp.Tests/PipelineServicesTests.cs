using FunctionsPipeline.FunctionApp;
using FunctionsPipeline.Images;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
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
    [InlineData("Ingestion:UnitRows", "0")]
    [InlineData("Ingestion:Concurrency", "0")]
    [InlineData("Ingestion:RequestsPerHost", "0")]
    [InlineData("Ingestion:RequestsPerHostPerSecond", "0")]
    [InlineData("Ingestion:RequestsPerHostPerSecond", "NaN")]
    [InlineData("Ingestion:DownloadAttempts", "0")]
    [InlineData("Ingestion:RetryDelay", "00:00:00")]
    [InlineData("Ingestion:ConnectTimeout", "-00:00:01")]
    [InlineData("Ingestion:ReadTimeout", "15")]
    [InlineData("Ingestion:DownloadDeadline", "00:00:00")]
    [InlineData("Ingestion:AllowedHosts:0", "127.0.0.1")]
    [InlineData("Ingestion:AllowedHosts:0", "http://127.0.0.1:8080")]
    [InlineData("Ingestion:Contact", "robot")]
    [InlineData("Ingestion:Contact", "https://example.com/(robot")]
    [InlineData("Ingestion:ImageLimits:MaxBytes", "0")]
    [InlineData("Ingestion:ImageLimits:MaxAspectRatio", "0.5")]
    public async Task A_missing_or_bad_setting_stops_the_start_and_is_named(string setting, string? value)
    {
        using var host = Build(setting, value);
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.StartsWith(setting, Assert.Single(failure.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void Ingestion_follows_its_settings_and_leaves_everybody_elses_limits_alone()
    {
        using var host = Build("Ingestion:ImageLimits:MaxBytes", "1000");
        var ingestion = host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value.Ingestion;
        Assert.Equal(1000, ingestion.ImageLimits.MaxBytes);
        Assert.NotEqual(1000, ImageLimits.Default.MaxBytes);
    }

    [Theory]
    [InlineData("127.0.0.1:8080")]
    [InlineData("hub.local:80")]
    [InlineData("[::1]:8080")]
    public void A_host_of_this_network_may_be_allowed(string host)
    {
        using var app = Build("Ingestion:AllowedHosts:0", host);
        Assert.Equal([host], app.Services.GetRequiredService<IOptions<PipelineOptions>>().Value.Ingestion.AllowedHosts);
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
