namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Settings of configuration section <c>Worker</c>.</summary>
public sealed record PredictionOptions
{
    /// <summary>Base URL of the GPU worker, such as <c>http://127.0.0.1:8080</c>. Only predictions need it.</summary>
    public Uri? Url { get; init; }

    /// <summary>Time limit of one prediction.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);
}
