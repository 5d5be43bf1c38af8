using System.Net;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Serving;

/// <summary>Options of <c>serve</c>.</summary>
public sealed record ServingOptions
{
    /// <summary>Endpoint to listen on; port 0 takes a free one.</summary>
    public required IPEndPoint Endpoint { get; init; }

    /// <summary>Local folder that caches models.</summary>
    public required string Cache { get; init; }

    public torch.Device Device { get; init; } = torch.CPU;

    /// <summary>Type of the weights in memory.</summary>
    public torch.ScalarType Precision { get; init; } = torch.ScalarType.Float32;

    /// <summary>Lets the model write any text in place of answers that follow its template.</summary>
    public bool FreeAnswers { get; init; }

    /// <summary>Maximum number of images that are answered together.</summary>
    public int Batch { get; init; } = 8;

    /// <summary>Time that a batch waits for more images after its first.</summary>
    public TimeSpan BatchWait { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Maximum number of requests in progress, those of the current batch included; more are turned away.</summary>
    public int Queue { get; init; } = 64;

    /// <summary>Frees the old model before a new one is loaded, also where memory holds both.</summary>
    public bool Drain { get; init; }
}
