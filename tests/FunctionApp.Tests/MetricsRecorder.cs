using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>What the pipeline's instruments measured since this was made.</summary>
internal sealed class MetricsRecorder : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<Measurement> _measurements = [];

    public MetricsRecorder()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == PipelineMetrics.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The sum of an instrument's measurements that have all these tags.</summary>
    public double Sum(string instrument, params (string Name, string Value)[] tags) => _measurements
        .Where(measured => measured.Instrument == instrument)
        .Where(measured => tags.All(tag => measured.Tags.GetValueOrDefault(tag.Name) as string == tag.Value))
        .Sum(measured => measured.Value);

    public void Dispose() => _listener.Dispose();

    private void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _measurements.Enqueue(new Measurement(instrument.Name, value, tags.ToArray().ToDictionary()));

    private sealed record Measurement(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags);
}
