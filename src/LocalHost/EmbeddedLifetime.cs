using Microsoft.Extensions.Hosting;

namespace FunctionsPipeline.LocalHost;

/// <summary>Leaves Ctrl-C and SIGTERM to the command that the host is a part of.</summary>
internal sealed class EmbeddedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
