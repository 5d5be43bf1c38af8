using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Gpu;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Requests for training, of a run or a sweep.</summary>
internal static class TrainingRequests
{
    /// <summary>Reads and validates a request and has it started; errors become problem documents.</summary>
    /// <param name="what">Description of the expected body, with an example, for error messages.</param>
    /// <param name="check">Lists all mistakes in a request that can be found without asking the Hub.</param>
    /// <param name="start">Starts what a request asks for, and responds.</param>
    public static async Task<IActionResult> RespondAsync<T>(
        HttpRequest request, string what, Func<T, IReadOnlyList<FieldError>> check, IGpuJobs jobs, Func<T, Task<IActionResult>> start,
        CancellationToken cancellationToken)
    {
        try
        {
            var wanted = await RequestReader.ReadAsync<T>(request.Body, what, cancellationToken);
            if (check(wanted) is { Count: > 0 } errors) return Responses.Problem(errors);
            if (jobs.SetupProblem is { } missing) return Responses.Problem(StatusCodes.Status503ServiceUnavailable, missing);
            return await start(wanted);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
        catch (HubException e)
        {
            return Responses.Problem(e);
        }
    }
}
