using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

/// <summary>Counts warnings and keeps their text.</summary>
internal sealed class CountingLogger : ILogger
{
    public int Warnings { get; private set; }

    public string Text { get; private set; } = "";

    public IDisposable? BeginScope<T>(T state) where T : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<T>(LogLevel logLevel, EventId eventId, T state, Exception? exception, Func<T, Exception?, string> formatter)
    {
        if (logLevel < LogLevel.Warning) return;
        Warnings++;
        Text += formatter(state, exception);
    }
}
