using System.Collections.Concurrent;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp;
using FunctionsPipeline.SampleData;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>The Azure clients' events are the whole process's: this test counts them while no other runs.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public static class CountedLogs
{
    public const string Name = "Counted logs";
}

[Collection(CountedLogs.Name)]
public sealed class LogFiltersTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private const int Rows = 60;

    // The host's own few lines at start and end.
    private const int Budget = 10;

    [Fact]
    public async Task An_ingestion_writes_a_few_log_records_however_many_rows_it_has()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = Rows });
        var records = new Records();
        using var app = Build(hub, records);
        await app.StartAsync();
        var counts = await IngestAsync(app.Services.GetRequiredService<DatasetIngestion>());
        await app.StopAsync();

        Assert.Equal(Rows, counts.Rows);
        Assert.True(records.All.Count <= Budget,
            $"{records.All.Count} log records of {Rows} rows: {string.Join(", ", records.All.CountBy(record => record))}");
    }

    [Theory]
    [InlineData("FunctionsPipeline.FunctionApp.Http.StartRun", LogLevel.Information, true)]
    [InlineData("Azure.Core", LogLevel.Information, false)]
    [InlineData("Azure.Identity", LogLevel.Warning, true)]
    [InlineData("System.Net.Http.HttpClient.PredictionClient.LogicalHandler", LogLevel.Information, false)]
    [InlineData("System.Net.Http.HttpClient.PredictionClient.LogicalHandler", LogLevel.Warning, true)]
    [InlineData("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Information, false)]
    [InlineData("Microsoft.DurableTask", LogLevel.Information, false)]
    public void AddLogFilters_keeps_what_the_pipeline_says_and_the_libraries_warnings(string category, LogLevel level, bool isKept)
    {
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(new Records()).AddLogFilters());
        Assert.Equal(isKept, factory.CreateLogger(category).IsEnabled(level));
    }

    private IHost Build(SampleHub hub, Records records)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Storage"] = azurite.ConnectionString,
            ["HF_ENDPOINT"] = hub.Address.ToString(),
            ["Ingestion:AllowedHosts:0"] = hub.Address.Authority,
            ["Worker:Url"] = "http://127.0.0.1:9",
            ["GpuWorker:Command"] = "unused",
        });
        builder.Logging.AddProvider(records).AddLogFilters();
        builder.Services.AddPipeline(builder.Configuration);
        return builder.Build();
    }

    private static async Task<RowCounts> IngestAsync(DatasetIngestion ingestion)
    {
        var resolved = await ingestion.ResolveAsync(new DatasetRequest { Repo = "samples/garments" });
        foreach (var file in resolved.Files)
        {
            await ingestion.FetchFileAsync(resolved.Blobs, file.File);
            foreach (var unit in Enumerable.Range(file.FirstUnit, file.Units)) await ingestion.IngestUnitAsync(resolved.Blobs, unit);
        }
        var summary = await ingestion.WriteCatalogAsync(resolved.Blobs);
        foreach (var shard in Enumerable.Range(0, resolved.Shards)) await ingestion.PreprocessAsync(resolved.Blobs, shard);
        return (await ingestion.WriteReportAsync(resolved.Blobs, summary, seconds: 1)).Counts;
    }

    private sealed class Records : ILoggerProvider
    {
        public ConcurrentQueue<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, All);

        public void Dispose()
        {
        }

        private sealed class Logger(string category, ConcurrentQueue<string> records) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                records.Enqueue($"{category} {logLevel} {eventId.Name}");
        }
    }
}
