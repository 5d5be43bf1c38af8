using System.Globalization;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.LocalHost.Processes;

/// <summary>Log lines in a file, one an event.</summary>
/// <param name="path">The file; appended to.</param>
public sealed class FileLoggerProvider(string path) : ILoggerProvider
{
    private readonly Lazy<TextWriter> _writer = new(() =>
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return TextWriter.Synchronized(new StreamWriter(path, append: true) { AutoFlush = true });
    });

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName.Split('.')[^1], _writer);

    public void Dispose()
    {
        if (_writer.IsValueCreated) _writer.Value.Dispose();
    }

    private sealed class Logger(string category, Lazy<TextWriter> writer) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var time = DateTime.Now.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
            var detail = exception is null ? "" : $"\n{exception}";
            writer.Value.WriteLine($"{time} {logLevel} {category}: {formatter(state, exception)}{detail}");
        }
    }
}
