using Microsoft.Extensions.Hosting;

namespace FunctionsPipeline.LocalHost;

/// <summary>Host lifetime that ignores Ctrl-C and SIGTERM, which the command that embeds the host handles.</summary>
internal sealed class EmbeddedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
