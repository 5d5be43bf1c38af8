using System.Collections.Concurrent;
using FunctionsPipeline.FunctionApp;
using FunctionsPipeline.SampleData;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.FunctionApp;

[Collection(WholeProcess.Name)]
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
        using var app = Ingestions.Build(azurite, hub, logging => logging.AddProvider(records).AddLogFilters());
        await app.StartAsync();
        var report = await Ingestions.RunAsync(app.Services);
        await app.StopAsync();

        Assert.Equal(Rows, report.Counts.Rows);
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

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                records.Enqueue($"{category} {logLevel} {eventId.Name}");
        }
    }
}
