using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FunctionApp.Predictions;

/// <summary>Timer trigger that purges the history of readings that ended long ago; their documents stay.</summary>
public sealed class PurgeReadings(ImageReadings readings, ILogger<PurgeReadings> logger)
{
    // 17 minutes past each hour, when fewer jobs of others begin than at its start.
    [Function(nameof(PurgeReadings))]
    public async Task RunAsync(
        [TimerTrigger("0 17 * * * *")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        if (await readings.PurgeAsync(client, cancellationToken) is > 0 and var count) Logs.ReadingsPurged(logger, count);
    }
}
