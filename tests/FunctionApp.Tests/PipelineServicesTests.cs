using System.Reflection;
using Azure.Identity;
using Azure.Storage.Blobs;
using FunctionsPipeline.FunctionApp.Gpu;
using FunctionsPipeline.Images;
using FunctionsPipeline.Shared;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Tests;

public class PipelineServicesTests
{
    [Theory]
    [InlineData("PipelineStorage", null)]
    [InlineData("Worker:Url", "localhost:8080")]
    [InlineData("Worker:Timeout", "00:00:00")]
    [InlineData("GpuWorker:Command", "\"\"")]
    [InlineData("GpuJobs:MaxRestarts", "-1")]
    [InlineData("GpuJobs:HeartbeatTimeout", "-00:00:01")]
    [InlineData("GpuJobs:SilenceTimeout", "00:01:00")]
    [InlineData("GpuJobs:JobId", "train-vision")]
    [InlineData("GpuJobs:JobId", "/subscriptions/34adfa4f-cedf-4dc0-ba29-b6d1a69ab345/resourceGroups/rg/providers/Microsoft.App/jobs/a/b")]
    [InlineData("GpuJobs:ArmEndpoint", "http://management.azure.com")]
    [InlineData("GpuJobs:LogFolder", " ")]
    [InlineData("GpuJobs:CacheFolder", " ")]
    [InlineData("HF_ENDPOINT", "huggingface.co")]
    [InlineData("Ingestion:UnitsPerInstance", "0")]
    [InlineData("Ingestion:Instances", "0")]
    [InlineData("Ingestion:Parallelism", "0")]
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

    [Theory]
    [InlineData("Retraining:WebhookSecret", "0123456789abcde", null, "Retraining:WebhookSecret must have at least 16")]
    [InlineData("Retraining:WebhookSecret", "0123456789abcdefé", null, "Retraining:WebhookSecret must have at least 16")]
    [InlineData("Retraining:Corrections", "0", null, "Retraining:Corrections must be at least 1")]
    [InlineData("Retraining:Poll", "true", "", "Retraining:Request is missing")]
    [InlineData("Retraining:WebhookSecret", "0123456789abcdef", "", "Retraining:Request is missing")]
    [InlineData("Retraining:Poll", "true", "{", "Retraining:Request is not the request of a run: ")]
    [InlineData("Retraining:Poll", "false", "null", "Retraining:Request is not the request of a run: it is null")]
    [InlineData("Retraining:Poll", "true", "{\"dataset\": {\"repo\": \"none\"}}", "dataset.repo must be")]
    [InlineData("Retraining:Poll", "true", "{\"dataset\": {\"repo\": \"a/b\"}, \"run\": \"mine\"}", "run must be left out")]
    [InlineData("Retraining:Corrections", "5", null, "includeCorrections must be true")]
    public void A_mistake_in_the_settings_of_retraining_is_named(string setting, string value, string? request, string told)
    {
        using var host = Build("Retraining:Request", request ?? "{\"dataset\": {\"repo\": \"a/b\"}}", (setting, value));
        var failure = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value);
        Assert.Contains(failure.Failures, mistake => mistake.Contains(told, StringComparison.Ordinal));
    }

    [Fact]
    public void Retraining_is_off_unless_a_setting_asks_for_it()
    {
        using var host = Build("Retraining:WebhookSecret", "");
        Assert.Equal(
            new RetrainingOptions { WebhookSecret = "" }, host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value.Retraining);
    }

    [Theory]
    [InlineData("Worker:Url")]
    [InlineData("GpuWorker:Command")]
    public async Task What_only_some_functions_need_stops_no_start(string setting)
    {
        using var host = Build(setting, null);
        await host.StartAsync();
        await host.StopAsync();
    }

    [Fact]
    public void The_app_stops_within_the_five_seconds_that_the_functions_host_grants()
    {
        using var host = Build("Worker:Url", null);
        Assert.Equal(TimeSpan.FromSeconds(4), host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }

    [Fact]
    public void Storage_is_found_by_the_identity_settings_of_the_functions_host()
    {
        using var host = Build("PipelineStorage", null, ("PipelineStorage:blobServiceUri", "https://account.blob.core.windows.net/"));
        Assert.Equal(new Uri("https://account.blob.core.windows.net/"), host.Services.GetRequiredService<BlobServiceClient>().Uri);
        Assert.NotNull(host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value);
    }

    [Theory]
    [InlineData(null, null, typeof(DefaultAzureCredential))]
    [InlineData(null, "11111111-2222-3333-4444-555555555555", typeof(DefaultAzureCredential))]
    [InlineData("managedidentity", null, typeof(ManagedIdentityCredential))]
    [InlineData("ManagedIdentity", "11111111-2222-3333-4444-555555555555", typeof(ManagedIdentityCredential))]
    public void The_identity_is_the_one_that_the_settings_ask_for(string? credential, string? client, Type expected)
    {
        var settings = new Dictionary<string, string?>
        {
            ["PipelineStorage:credential"] = credential,
            ["PipelineStorage:clientId"] = client,
        };
        var section = new ConfigurationBuilder().AddInMemoryCollection(settings).Build().GetSection("PipelineStorage");
        Assert.IsType(expected, PipelineStorage.Credential(section));
    }

    [Theory]
    [InlineData("PipelineStorage:blobServiceUri", "account.blob.core.windows.net")]
    [InlineData("PipelineStorage:credential", "password")]
    public void A_bad_identity_setting_is_named(string setting, string value)
    {
        using var host = Build(
            "PipelineStorage", null, ("PipelineStorage:blobServiceUri", "https://account.blob.core.windows.net"), (setting, value));
        var failure = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value);
        Assert.StartsWith(setting.Replace(":", "__", StringComparison.Ordinal), Assert.Single(failure.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void No_connection_is_looked_up_by_the_host_as_one_of_its_own()
    {
        var connections = typeof(PipelineServices).Assembly.GetTypes().SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetParameters()).SelectMany(parameter => parameter.GetCustomAttributes())
            .Select(attribute => attribute.GetType().GetProperty("Connection")?.GetValue(attribute)).OfType<string>().Distinct();
        Assert.Equal([PipelineStorage.Connection], connections);
        using var host = Build($"AzureWebJobs{PipelineStorage.Connection}", "UseDevelopmentStorage=true");
        var failure = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<IOptions<PipelineOptions>>().Value);
        Assert.Contains("AzureWebJobsPipelineStorage", Assert.Single(failure.Failures), StringComparison.Ordinal);
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
    [InlineData(null, typeof(LocalProcessGpuJobs))]
    [InlineData(" ", typeof(LocalProcessGpuJobs))]
    [InlineData(FakeArm.JobId, typeof(ContainerAppJobs))]
    public void Jobs_run_where_the_settings_say(string? job, Type expected)
    {
        using var host = Build("GpuJobs:JobId", job);
        Assert.IsType(expected, host.Services.GetRequiredService<IGpuJobs>());
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

    private static IHost Build(string setting, string? value, params (string Setting, string? Value)[] more)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            // Nothing listens there; the settings are checked before anything is reached.
            ["PipelineStorage"] = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;",
            ["Worker:Url"] = "http://127.0.0.1:8080",
            ["GpuWorker:Command"] = "worker",
            [setting] = value,
        });
        foreach (var (name, other) in more) builder.Configuration[name] = other;
        builder.Services.AddPipeline(builder.Configuration);
        return builder.Build();
    }
}
