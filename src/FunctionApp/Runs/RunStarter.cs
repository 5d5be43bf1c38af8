using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.FunctionApp.Orchestration;
using FunctionsPipeline.FunctionApp.Sweeps;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Runs;

/// <summary>Starts runs and sweeps, each under an id that is claimed once.</summary>
public sealed class RunStarter(
    DatasetIngestion datasets,
    ModelMirror models,
    RunDocumentStore store,
    RunIndex runs,
    SweepIndex sweeps,
    IOptions<PipelineOptions> options,
    TimeProvider time,
    ILogger<RunStarter> logger)
{
    // Name of the setting in requests.
    private const string Template = "answerTemplate";

    /// <summary>
    /// Replaces a request's revisions with the commits that they point to now, names a dataset of blob storage that has no name, and has
    /// the default answer template followed by the further fields.
    /// </summary>
    /// <exception cref="RequestException">The Hub lacks a repository, revision or column of the request.</exception>
    /// <exception cref="HubException">The Hub cannot be reached.</exception>
    public async Task<RunRequest> PinAsync(RunRequest request, CancellationToken cancellationToken) =>
        (await PinWithColumnsAsync(request, cancellationToken)).Pinned;

    /// <summary>Does the same for the run that the runs of a sweep have in common, and for the answer templates to choose from.</summary>
    /// <inheritdoc cref="PinAsync(RunRequest, CancellationToken)" path="/exception"/>
    public async Task<SweepRequest> PinAsync(SweepRequest request, CancellationToken cancellationToken)
    {
        RunRequest run;
        ColumnMapping columns;
        try
        {
            (run, columns) = await PinWithColumnsAsync(request.Run, cancellationToken);
        }
        catch (RequestException e)
        {
            throw new RequestException($"run.{e.Field}", e.Status, e.Message);
        }
        return request with
        {
            Run = run,
            Space = request.Space.ToDictionary(
                setting => setting.Key, setting => setting.Key == Template ? Completed(setting.Value) : setting.Value),
        };

        SearchValues Completed(SearchValues templates) => templates with
        {
            Values =
            [
                .. templates.Values!.Select((value, i) => JsonSerializer.SerializeToElement(
                    CompletedTemplate(value.GetString()!, columns, $"space.{Template}.values[{i}]"))),
            ],
        };
    }

    /// <summary>Starts the orchestration of a run. False when the run id is taken.</summary>
    /// <param name="request">A request with an id and pinned commits.</param>
    public async Task<bool> TryStartAsync(DurableTaskClient client, RunRequest request, CancellationToken cancellationToken)
    {
        var input = new FineTuneInput(request, options.Value.GpuJobs.Policy);
        if (!await TryStartAsync(client, nameof(FineTune), request.Run!, request, input, runs, cancellationToken)) return false;
        Logs.RunAccepted(
            logger, request.Run!, request.Dataset.Repo, request.Dataset.Revision, request.BaseModel.Repo, request.BaseModel.Revision);
        return true;
    }

    /// <summary>Starts the orchestration of a sweep. False when the sweep's id is taken.</summary>
    /// <param name="plan">A plan whose request has an id and pinned commits.</param>
    public async Task<bool> TryStartAsync(DurableTaskClient client, SweepPlan plan, CancellationToken cancellationToken)
    {
        var (sweep, run) = (plan.Request.Sweep!, plan.Request.Run);
        var input = new SweepInput(plan, options.Value.GpuJobs.Policy);
        if (!await TryStartAsync(client, nameof(Sweep), sweep, plan, input, sweeps, cancellationToken)) return false;
        Logs.SweepAccepted(logger, sweep, plan.Runs.Count, run.Dataset.Repo, run.Dataset.Revision);
        return true;
    }

    private async Task<(RunRequest Pinned, ColumnMapping Columns)> PinWithColumnsAsync(
        RunRequest request, CancellationToken cancellationToken)
    {
        var dataset = await datasets.CheckAsync(request.Dataset, cancellationToken);
        var model = await models.ResolveCommitAsync(request.BaseModel, cancellationToken);
        var template = CompletedTemplate(request.Training.AnswerTemplate, dataset.Columns, $"training.{Template}");
        var pinned = request with
        {
            Dataset = dataset.Pinned,
            BaseModel = request.BaseModel with { Revision = model },
            Training = request.Training with { AnswerTemplate = template },
        };
        return (pinned, dataset.Columns);
    }

    private static string CompletedTemplate(string template, ColumnMapping columns, string field)
    {
        if (template == AnswerTemplate.Default) return AnswerTemplate.DefaultFor(columns.Further);
        try
        {
            _ = new AnswerTemplate(template, FieldDefinition.OfAnswers(columns));
            return template;
        }
        // A request that names a view does not tell the fields.
        catch (FormatException e)
        {
            throw new RequestException(field, StatusCodes.Status400BadRequest, $"{field} {e.Message}.");
        }
    }

    private async Task<bool> TryStartAsync<T>(
        DurableTaskClient client, string orchestrator, string id, T accepted, object input, AcceptedIndex index,
        CancellationToken cancellationToken)
    {
        // Orchestrations without a claim, such as those of ingestions, have their ids in the task hub alone.
        if (await client.GetInstanceAsync(id, cancellationToken) is not null) return false;
        if (!await store.ClaimAsync(id, accepted, cancellationToken)) return false;
        var acceptedAt = time.GetUtcNow();
        try
        {
            // Before the orchestration starts, as a crash in between must not hide it: lists skip entries without an orchestration.
            await index.AddAsync(id, acceptedAt, cancellationToken);
            await client.ScheduleNewOrchestrationInstanceAsync(
                orchestrator, input, new StartOrchestrationOptions(InstanceId: id), cancellationToken);
        }
        catch
        {
            // Without the caller's token: the caller may be gone, and the id must become free all the same.
            await index.RemoveAsync(id, acceptedAt);
            await store.UnclaimAsync(id);
            throw;
        }
        return true;
    }
}
