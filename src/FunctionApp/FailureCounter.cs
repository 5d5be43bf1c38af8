using FunctionsPipeline.Contracts;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;

namespace FunctionsPipeline.FunctionApp;

/// <summary>Middleware that counts failed function calls.</summary>
public sealed class FailureCounter : IFunctionsWorkerMiddleware
{
    /// <inheritdoc/>
    public async Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (Exception e) when (e is not OperationCanceledException || !context.CancellationToken.IsCancellationRequested)
        {
            PipelineMetrics.CountFailure(context.FunctionDefinition.Name, e.GetType());
            throw;
        }
    }
}
