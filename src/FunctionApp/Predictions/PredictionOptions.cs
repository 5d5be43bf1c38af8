namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Settings of configuration section <c>Worker</c>.</summary>
public sealed record PredictionOptions
{
    /// <summary>Where the GPU worker answers, such as <c>http://127.0.0.1:8080</c>. Only predictions need it.</summary>
    public Uri? Url { get; init; }

    /// <summary>How long one prediction may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);
}
