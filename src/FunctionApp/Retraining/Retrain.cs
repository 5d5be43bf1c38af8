using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FunctionsPipeline.FunctionApp.Retraining;

/// <summary>Timer trigger that starts the configured run when there is a cause; does nothing while retraining is off.</summary>
public sealed class Retrain(Retrainer retrainer)
{
    // Between the quarters of an hour, at which other timers run.
    [Function(nameof(Retrain))]
    public Task RunAsync(
        [TimerTrigger("0 5/15 * * * *")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken) =>
        retrainer.TickAsync(client, cancellationToken);
}
